"""A log file becomes a data set: canonical events with facts, sequences, rejected rows."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from sqlalchemy.exc import IntegrityError

from core.errors import Conflict
from core.logs.engine import (
    connect,
    in_parallel,
    keep_small,
    literal,
    quoted,
    scratch_folder,
)
from core.logs.events import Counts, create_events
from core.logs.facts import event_facts
from core.logs.imputing import impute
from core.logs.mapping import Mapping, extra_columns
from core.logs.measuring import create_part, measure_others
from core.logs.privacy import create_masks, home_key, is_private
from core.logs.proposal import complete, given_format
from core.logs.quality import Quality, complete_quality, measure_quality
from core.logs.reader import open_log
from core.logs.repeats import add_up, measure_repeats
from core.logs.sequencing import Part, cut_sequences, parts_of
from core.logs.summing import create_edges, create_sequences, summarise_part
from core.logs.trust import doubts
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
EVENTS_PER_PART = 250_000  # of which memory holds all facts at once, on each core
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
    with (
        scratch_folder(home.path / "scratch") as scratch,
        connect(scratch, on_disk=True) as con,
    ):
        report(0.02, "reading the file")
        source = open_log(con, path, scratch, format=given_format(mapping))
        keep_small(con)
        mapping = complete(con, source, mapping)
        if is_private(mapping):
            create_masks(con, home_key(home.path))
        counts = create_events(con, mapping)
        with _one_of_its_name(dataset_id):
            with writing(home.dataset_dir(dataset_id), replace=False) as folder:
                quality = _build(con, mapping, dataset_id, counts, folder, report)
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
                actors=quality["actors"],
                sequences=quality["sequences"],
                created_at=now(),
            )
            _register(home, dataset)
    report(1.0, "done")
    return dataset


def _build(
    con: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    dataset_id: str,
    counts: Counts,
    folder: Path,
    report: Progress,
) -> Quality:
    """Write the files of a data set from `accepted` and `rejected`; return its quality report."""
    report(0.3, "looking at the quality")
    quality = measure_quality(con, mapping, counts, impute(con, mapping, "accepted"))
    actions = _commonest_actions(con)
    create_edges(con, mapping)
    report(0.4, "comparing with others")
    measure_others(con, mapping)
    (folder / "events").mkdir(parents=True)
    parts = parts_of(con, "accepted", EVENTS_PER_PART)
    doubtful = doubts(mapping, quality)
    done = 0

    def build(own: duckdb.DuckDBPyConnection, part: Part) -> dict[str, Any]:
        nonlocal done
        cut_sequences(own, mapping, dataset_id, part)
        create_part(own, mapping, part)
        _write_events(own, mapping, folder / "events" / f"part-{part.number:04}.parquet")
        repeats = measure_repeats(own, mapping, "events")
        summarise_part(own, mapping, actions, doubtful, part)
        done += 1
        report(0.5 + 0.4 * done / len(parts), f"sequences: part {done} of {len(parts)}")
        return repeats

    repeats = add_up(in_parallel(con, build, parts))
    report(0.9, "writing")
    create_sequences(con, mapping, actions, parts)
    _copy(con, "FROM sequences", folder / "sequences.parquet")
    reason = "concat_ws(' in ', reason, file)"
    _copy(con, f"SELECT line, {reason} AS reason, raw FROM rejected", folder / "rejected.parquet")
    (folder / "mapping.json").write_text(mapping.model_dump_json(indent=2))
    (folder / "actions.json").write_text(json.dumps(actions))
    return complete_quality(con, mapping, quality, repeats, "sequences", rows="all")


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
        f"""SELECT action FROM accepted WHERE action IS NOT NULL GROUP BY action
        ORDER BY count(*) DESC, action LIMIT {_MOST_ACTIONS}"""
    ).fetchall()
    return [action for (action,) in rows]


def _write_events(con: duckdb.DuckDBPyConnection, mapping: Mapping, target: Path) -> None:
    names = [*_CANONICAL, *extra_columns(mapping), *(fact.name for fact in event_facts(mapping))]
    _copy(con, f"SELECT {', '.join(map(quoted, names))} FROM events", target)


def _copy(con: duckdb.DuckDBPyConnection, query: str, target: Path) -> None:
    con.execute(f"COPY ({query}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION zstd)")
