"""The home: a folder for what is big, a database for what is decided."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from core.errors import BadInput
from core.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"


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
    try:
        engine = create_engine(url)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _prepare_sqlite)
        _migrate(engine)
    except SQLAlchemyError as error:
        raise BadInput(f"The database {url} cannot be opened: {error}.") from error
    return Home(folder.resolve(), engine)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout = 30000")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as con:
        config.attributes["connection"] = con
        command.upgrade(config, "head")


@contextmanager
def writing(target: Path) -> Iterator[Path]:
    """Give a temporary sibling of `target` (file or folder) to write, then rename it into place.

    A reader never sees half of it; on an error nothing is left behind.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        if target.is_dir():
            shutil.rmtree(target)
        os.replace(temporary, target)
    finally:
        remove(temporary)


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
