"""The files of a data set: events with facts in parts, sequences with profiles, rejected rows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from core.logs.companions import find_companions
from core.logs.engine import in_parallel, literal, quoted
from core.logs.events import Counts
from core.logs.facts import event_facts
from core.logs.imputing import impute
from core.logs.mapping import Mapping, extra_columns
from core.logs.measuring import create_part, measure_others
from core.logs.quality import Quality, complete_quality, measure_quality
from core.logs.repeats import add_up, measure_repeats
from core.logs.sequencing import Part, cut_sequences, parts_of
from core.logs.summing import create_edges, create_sequences, summarise_part
from core.logs.trust import doubts
from core.schema import Column

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


def build(
    con: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    dataset_id: str,
    counts: Counts,
    folder: Path,
    report: Progress,
) -> Quality:
    """Write the files of a data set from `accepted` and `rejected`; return its quality report.

    One `actions.json` in `folder` already says which actions have a count of their own.
    """
    report(0.3, "looking at the quality")
    quality = measure_quality(con, mapping, counts, impute(con, mapping, "accepted"))
    actions = _counted_actions(con, folder / "actions.json")
    create_edges(con, mapping)
    report(0.4, "comparing with others")
    measure_others(con, mapping)
    find_companions(con, mapping)
    (folder / "events").mkdir(parents=True)
    parts = parts_of(con, "accepted", EVENTS_PER_PART)
    doubtful = doubts(mapping, quality)
    done = 0

    def build_part(own: duckdb.DuckDBPyConnection, part: Part) -> dict[str, Any]:
        nonlocal done
        cut_sequences(own, mapping, dataset_id, part)
        create_part(own, mapping, part)
        _write_events(own, mapping, folder / "events" / f"part-{part.number:04}.parquet")
        repeats = measure_repeats(own, mapping, "events")
        summarise_part(own, mapping, actions, doubtful, part)
        done += 1
        report(0.5 + 0.4 * done / len(parts), f"sequences: part {done} of {len(parts)}")
        return repeats

    repeats = add_up(in_parallel(con, build_part, parts))
    report(0.9, "writing")
    create_sequences(con, mapping, actions, parts)
    _copy(con, "FROM sequences", folder / "sequences.parquet")
    reason = "concat_ws(' in ', reason, file)"
    _copy(con, f"SELECT line, {reason} AS reason, raw FROM rejected", folder / "rejected.parquet")
    (folder / "mapping.json").write_text(mapping.model_dump_json(indent=2))
    return complete_quality(con, mapping, quality, repeats, "sequences", rows="all")


def _counted_actions(con: duckdb.DuckDBPyConnection, file: Path) -> list[str]:
    """Return the actions in `file`, or write the commonest of the log there."""
    if file.exists():
        found: list[str] = json.loads(file.read_text())
        return found
    rows = con.execute(
        f"""SELECT action FROM accepted WHERE action IS NOT NULL GROUP BY action
        ORDER BY count(*) DESC, action LIMIT {_MOST_ACTIONS}"""
    ).fetchall()
    actions = [action for (action,) in rows]
    file.write_text(json.dumps(actions))
    return actions


def _write_events(con: duckdb.DuckDBPyConnection, mapping: Mapping, target: Path) -> None:
    names = [*_CANONICAL, *extra_columns(mapping), *(fact.name for fact in event_facts(mapping))]
    _copy(con, f"SELECT {', '.join(map(quoted, names))} FROM events", target)


def _copy(con: duckdb.DuckDBPyConnection, query: str, target: Path) -> None:
    con.execute(f"COPY ({query}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION zstd)")
