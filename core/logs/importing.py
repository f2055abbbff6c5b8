"""A log file becomes a data set: canonical events with facts, sequences, rejected rows."""

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import duckdb
from sqlalchemy.exc import IntegrityError

from core.errors import Conflict
from core.logs.engine import connect, literal, quoted, scratch_folder, threads
from core.logs.events import Counts, create_events
from core.logs.facts import event_facts
from core.logs.imputing import impute
from core.logs.mapping import Mapping, extra_columns
from core.logs.measuring import add_event_facts, add_profiles, events_between
from core.logs.privacy import create_masks, home_key, is_private
from core.logs.proposal import complete, given_format
from core.logs.quality import Quality, measure_quality
from core.logs.reader import open_log
from core.logs.trust import add_trust
from core.schema import Column
from core.store import datasets
from core.store.datasets import Dataset
from core.store.home import Home, now, remove, writing

Progress = Callable[[float, str], None]

_CANONICAL = (
    Column.SEQUENCE,
    Column.ACTOR,
    Column.SESSION,
    Column.EVENT_ID,
    Column.TIME,
    Column.ROW,
    Column.POSITION,
    Column.ACTION,
    Column.ITEM,
    Column.AMOUNT,
)
_MOST_ACTIONS = 30  # that have a count of their own in the profile


def import_log(
    home: Home,
    path: Path | str,
    *,
    mapping: Mapping | None = None,
    name: str | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Import a file, folder or glob as a new data set.

    Parameters
    ----------
    mapping
        What it does not mention is as `inspect_log` proposes.
    progress
        Called with the share done (0 to 1) and what is being done.

    Raises
    ------
    BadInput
        If the log or the mapping cannot be used; nothing is written then.
    """
    path = Path(path)
    report = progress or (lambda share, message: None)
    name = name or _stem(path)
    dataset_id = _free_id(home, name)
    with scratch_folder(home.path / "scratch") as scratch, connect(scratch) as con:
        report(0.02, "reading the file")
        source = open_log(con, path, scratch, format=given_format(mapping))
        mapping = complete(con, source, mapping)
        if is_private(mapping):
            create_masks(con, home_key(home.path))
        counts, quality, actions = _build(con, mapping, dataset_id, report)
        report(0.9, "writing")
        actors, sequences = _totals(con)
        dataset = Dataset(
            id=dataset_id,
            name=name,
            source=str(path),
            mapping=mapping.model_dump(mode="json"),
            quality=quality,
            read=counts.read,
            accepted=counts.accepted,
            rejected=counts.rejected,
            duplicate=counts.duplicate,
            actors=actors,
            sequences=sequences,
            created_at=now(),
        )
        with _one_of_its_name(dataset_id):
            with writing(home.dataset_dir(dataset_id), replace=False) as folder:
                _write(con, folder, mapping, actions)
            _register(home, dataset)
    report(1.0, "done")
    return dataset


def _build(
    con: duckdb.DuckDBPyConnection, mapping: Mapping, dataset_id: str, report: Progress
) -> tuple[Counts, Quality, list[str]]:
    """Create all tables of a data set; return its counts, its quality, its commonest actions."""
    report(0.2, "cutting sequences")
    counts = create_events(con, mapping, dataset_id)
    filled = impute(con, mapping, "cut")
    report(0.4, "computing facts")
    add_event_facts(con, mapping)
    report(0.7, "profiling sequences")
    actions = _commonest_actions(con)
    add_profiles(con, mapping, actions)
    quality = measure_quality(con, mapping, counts, filled)
    add_trust(con, mapping, quality)
    return counts, quality, actions


@contextmanager
def _one_of_its_name(dataset_id: str) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, IntegrityError) as error:
        raise Conflict(
            f"Another import took the name '{dataset_id}' meanwhile. Import again; "
            "it gets a number then."
        ) from error


def _register(home: Home, dataset: Dataset) -> None:
    """Make the data set known once its files are in place, so that nobody meets it without."""
    try:
        with home.engine.begin() as con:
            datasets.add(con, dataset)
    except BaseException:
        remove(home.dataset_dir(dataset.id))
        raise


def _stem(path: Path) -> str:
    name = path.name or path.resolve().name
    return (
        re.sub(r"(\.(gz|zst|bz2|zip|csv|tsv|txt|log|jsonl|ndjson|json|xlsx|parquet))+$", "", name)
        or "log"
    )


def _free_id(home: Home, name: str) -> str:
    """Return the slug of `name`, numbered when it is taken."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60].strip("-") or "log"
    with home.engine.connect() as con:
        taken = set(datasets.all_datasets(con)["id"])
    number = 1
    while True:
        found = slug if number == 1 else f"{slug}-{number}"
        if found not in taken and not home.dataset_dir(found).exists():
            return found
        number += 1


def _commonest_actions(con: duckdb.DuckDBPyConnection) -> list[str]:
    rows = con.execute(
        f"""SELECT action FROM events WHERE action IS NOT NULL GROUP BY action
        ORDER BY count(*) DESC, action LIMIT {_MOST_ACTIONS}"""
    ).fetchall()
    return [action for (action,) in rows]


def _totals(con: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    row = con.execute("SELECT count(DISTINCT actor_id), count(*) FROM sequences").fetchone()
    assert row is not None
    return row[0], row[1]


def _write(
    con: duckdb.DuckDBPyConnection, folder: Path, mapping: Mapping, actions: list[str]
) -> None:
    (folder / "events").mkdir(parents=True)
    _write_events(con, folder / "events", mapping)
    _copy(con, "FROM sequences", folder / "sequences.parquet")
    reason = "concat_ws(' in ', reason, file)"
    _copy(con, f"SELECT line, {reason} AS reason, raw FROM rejected", folder / "rejected.parquet")
    (folder / "mapping.json").write_text(mapping.model_dump_json(indent=2))
    (folder / "actions.json").write_text(json.dumps(actions))


def _write_events(con: duckdb.DuckDBPyConnection, folder: Path, mapping: Mapping) -> None:
    names = [*_CANONICAL, *extra_columns(mapping), *(fact.name for fact in event_facts(mapping))]
    columns = ", ".join(map(quoted, names))
    bounds = con.execute(
        'SELECT "partition", min(rowid), max(rowid) FROM cut GROUP BY 1 ORDER BY 1'
    ).fetchall()
    ranges = {part: (first, last) for part, first, last in bounds}

    def write(part: int) -> None:
        query = events_between(mapping, *ranges.get(part, (0, -1)))
        target = folder / f"part-{part:04}.parquet"
        with con.cursor() as own:
            _copy(own, f'SELECT {columns} FROM ({query}) ORDER BY "@at"', target)

    with ThreadPoolExecutor(threads()) as pool:  # one COPY of a part keeps a single core busy
        list(pool.map(write, range(bounds[-1][0] + 1)))


def _copy(con: duckdb.DuckDBPyConnection, query: str, target: Path) -> None:
    con.execute(f"COPY ({query}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION zstd)")
