"""The home: a folder for what is big, a database for what is decided."""

import errno
import os
import shutil
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd
from filelock import FileLock
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from core.errors import BadInput
from core.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = "0005"  # the newest migration
NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
ABANDONED: Final = 3600.0  # seconds without a change after which nobody is writing any more
UNUSED: Final = 86_400.0  # seconds after which nobody comes back to import an upload
FORGOTTEN: Final = 7 * 86_400.0  # seconds after which nobody goes on with a killed training


@dataclass(frozen=True)
class Home:
    """One workbench: its folder and its database."""

    path: Path
    engine: Engine

    def dataset_dir(self, dataset_id: str) -> Path:
        """Folder of one data set: ``events/``, ``sequences.parquet``, ``rejected.parquet``."""
        return self.path / "datasets" / dataset_id

    def model_dir(self, model_id: str) -> Path:
        """Folder of one model, laid out as Hugging Face does."""
        return self.path / "models" / model_id

    def run_file(self, run_id: str) -> Path:
        """Scores of one run."""
        return self.path / "runs" / f"{run_id}.parquet"

    def embeddings_file(self, run_id: str) -> Path:
        """Embeddings of the sequences of a run's cases."""
        return self.path / "runs" / f"{run_id}.embeddings.parquet"

    def training_dir(self, training_id: str) -> Path:
        """TensorBoard's event files of one training."""
        return self.path / "trainings" / training_id

    @property
    def checkpoints(self) -> Path:
        """Where trainings and runs that were killed go on from."""
        return self.path / "checkpoints"

    def scoring_dir(self, model_id: str, dataset_id: str) -> Path:
        """Where a run that was killed goes on from."""
        return self.checkpoints / f"scoring-{model_id}-{dataset_id}"

    @property
    def uploads(self) -> Path:
        """Where the page puts what a browser sends."""
        folder = self.path / "uploads"
        folder.mkdir(exist_ok=True)
        return folder


def open_home(path: Path | str | None = None) -> Home:
    """Open the workbench at `path` (default: the settings'), creating or migrating it.

    Raises
    ------
    BadInput
        If the folder cannot be written or the database cannot be reached.
    """
    settings = Settings()
    folder = Path(path) if path is not None else settings.home
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"The home {folder} cannot be created: {error.strerror}.") from error
    url = settings.database_url or f"sqlite:///{folder.resolve() / 'spoor.db'}"
    engine = _create_engine(url)
    try:
        _migrate(engine, folder)
    except (SQLAlchemyError, OSError) as error:
        shown = engine.url.render_as_string(hide_password=True)
        raise BadInput(f"The database {shown} cannot be opened: {error}.") from error
    return Home(folder.resolve(), engine)


def _create_engine(url: str) -> Engine:
    try:
        engine = create_engine(url)
    except ModuleNotFoundError as error:
        raise BadInput(
            f"The database needs a driver that is missing: pip install {error.name}."
        ) from error
    except (SQLAlchemyError, ValueError) as error:
        # What was given is not repeated: it may hold a password.
        raise BadInput(
            "SPOOR_DATABASE_URL cannot be read. Accepted: a URL of SQLAlchemy such as "
            "postgresql+psycopg://user:password@host/database."
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "savepoint", _begin_first)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout = 30000")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_first(con: Connection, _name: str) -> None:
    """Begin a transaction around a savepoint: Python's driver would not, and releasing commit."""
    if not con.connection.driver_connection.in_transaction:  # type: ignore[union-attr]
        con.exec_driver_sql("BEGIN")


def _migrate(engine: Engine, folder: Path) -> None:
    if _version(engine) == HEAD:
        return
    from alembic import command  # a quarter of a second that an up-to-date home need not wait
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    # SQLite waits half a minute for its own lock; copying the tables of a big home takes longer.
    alone = FileLock(folder / "migrate.lock") if engine.dialect.name == "sqlite" else nullcontext()
    with alone, engine.connect() as con, _without_cascades(con), con.begin():
        if engine.dialect.name == "sqlite":
            # Python's driver begins none before it alters a table: half a migration would stay.
            con.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = con
        command.upgrade(config, "head")


@contextmanager
def _without_cascades(con: Connection) -> Iterator[None]:
    """Let a migration replace a table without deleting what refers to its rows.

    SQLite alters a table by copying it and dropping the old one, which deletes the old rows first.
    """
    if con.dialect.name != "sqlite":
        yield
        return
    con.exec_driver_sql("PRAGMA foreign_keys = OFF")
    con.commit()  # what was asked within a transaction would not count
    try:
        yield
    finally:
        con.exec_driver_sql("PRAGMA foreign_keys = ON")
        con.commit()


def _version(engine: Engine) -> str | None:
    with engine.connect() as con:
        if not inspect(con).has_table("alembic_version"):
            return None
        return con.execute(text("SELECT version_num FROM alembic_version")).scalar()


@contextmanager
def writing(target: Path, *, replace: bool = True) -> Iterator[Path]:
    """Give a temporary sibling of `target` (file or folder) to write, then rename it into place.

    A reader never sees half of it; on an error nothing is left behind.

    Raises
    ------
    FileExistsError
        Without `replace`, if a folder came to be at `target` meanwhile.
    BadInput
        If the disk is full.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    aside = temporary.with_suffix(".old.tmp")
    try:
        yield temporary
        if replace and target.is_dir():
            os.replace(target, aside)  # a reader misses it for a moment, and never sees a half
        try:
            _move(temporary, target)
        except OSError:
            if aside.is_dir():
                os.replace(aside, target)
            raise
    except Exception as error:
        if _no_room(error):
            raise BadInput(
                f"There is no room to write {target.name}: the disk of {target.parent} is full. "
                "Free some space and start again."
            ) from error
        raise
    finally:
        remove(temporary)
        remove(aside)


def _no_room(error: Exception) -> bool:
    """Say whether a write failed for want of space; libraries wrap that in errors of their own."""
    number = getattr(error, "errno", None)
    return number in NO_ROOM or any(f"os error {code}" in str(error) for code in NO_ROOM)


def _move(source: Path, target: Path) -> None:
    try:
        os.replace(source, target)
    except OSError as error:
        if target.is_dir():
            raise FileExistsError(f"{target} is there already") from error
        raise


def sweep(home: Home, awaited: Collection[Path] = ()) -> None:
    """Delete what killed processes left half-written and what was sent but never used.

    Parameters
    ----------
    awaited
        Logs that jobs wait for, maybe uploads.
    """
    written = [home.path / folder for folder in ("models", "datasets", "runs")]
    leftovers = [path for folder in written for path in folder.glob(".*.tmp")]
    # A command line may be writing at this moment, so what changed of late stays.
    ages = dict.fromkeys([*leftovers, *(home.path / "scratch").glob("*")], ABANDONED)
    ages |= dict.fromkeys(home.checkpoints.glob("*"), FORGOTTEN)
    kept = {path.parent for path in awaited}
    ages |= {path: UNUSED for path in home.uploads.glob("*") if path not in kept}
    for path, age in ages.items():
        with suppress(OSError):
            if time.time() - _changed(path) > age:
                remove(path)


def _changed(path: Path) -> float:
    """Return when a file, or anything in a folder, was changed last."""
    return max(each.lstat().st_mtime for each in (path, *path.rglob("*")))


def remove(path: Path) -> None:
    """Delete a file or folder if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def now() -> datetime:
    """Return the present in UTC, naive as the database holds it."""
    return datetime.now(UTC).replace(tzinfo=None)


def as_dict(row: Any) -> dict[str, Any]:
    """Turn a row of the database into a dictionary."""
    return dict(row._mapping)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Turn a frame into rows for the database, every kind of missing value into NULL."""
    objects = frame.astype(object).where(frame.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in objects.to_dict("records")]
