"""The files of a data set: events with facts in parts, sequences with profiles, rejected rows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.logs.companions import find_companions
from core.logs.engine import file_literal, in_parallel, literal
from core.logs.events import Counts
from core.logs.facts import event_facts
from core.logs.imputing import impute
from core.logs.mapping import Mapping, extra_columns
from core.logs.measuring import load_part, measure_others
from core.logs.quality import Quality, complete_quality, measure_quality
from core.logs.repeats import add_up, find_repeats
from core.logs.sequencing import Cut, Loaded, Part, cut_sequences, parts_of
from core.logs.summing import profiles_of, read_edges, write_sequences
from core.logs.trust import doubtful
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
    edges = read_edges(con, mapping)
    report(0.4, "comparing with others")
    measure_others(con, mapping)
    find_companions(con, mapping)
    (folder / "events").mkdir(parents=True)
    parts = parts_of(con, "accepted", EVENTS_PER_PART)
    profiles = {part: folder.with_name(f"profiles-{part.number}.parquet") for part in parts}
    done = 0

    def build_part(own: duckdb.DuckDBPyConnection, part: Part) -> dict[str, Any]:
        nonlocal done
        loaded = load_part(own, mapping, part)
        cut = cut_sequences(own, loaded, mapping, dataset_id)
        _write_events(folder / "events" / f"part-{part.number:04}.parquet", loaded, cut, mapping)
        repeats, told = find_repeats(loaded.table)
        doubts = doubtful(own, loaded, mapping, quality, repeats)
        profile = profiles_of(loaded, cut, mapping, actions, edges, doubts)
        pq.write_table(profile, profiles[part], compression="none")
        done += 1
        report(0.5 + 0.4 * done / len(parts), f"sequences: part {done} of {len(parts)}")
        return told

    repeats = add_up(in_parallel(con, build_part, parts))
    report(0.9, "writing")
    target = folder / "sequences.parquet"
    write_sequences(con, mapping, actions, profiles, target)
    reason = "concat_ws(' in ', reason, file)"
    _copy(con, f"SELECT line, {reason} AS reason, raw FROM rejected", folder / "rejected.parquet")
    (folder / "mapping.json").write_text(mapping.model_dump_json(indent=2))
    lengths = f"read_parquet({file_literal(target)})"
    return complete_quality(con, mapping, quality, repeats, lengths, rows="all")


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


def _write_events(target: Path, loaded: Loaded, cut: Cut, mapping: Mapping) -> None:
    """Write a part's events with all their facts, one sequence after the other."""
    number = np.repeat(np.arange(len(cut.sizes), dtype=np.int32), cut.sizes)
    made = {Column.SEQUENCE: pa.DictionaryArray.from_arrays(number, cut.ids),
            Column.POSITION: pa.array(loaded.events[Column.POSITION][cut.place])}  # fmt: skip
    made |= {
        fact.name: fact.to_arrow(loaded.events[fact.name][cut.place])
        for fact in event_facts(mapping)
    }
    names = [*_CANONICAL, *extra_columns(mapping)]
    told = loaded.table.select([name for name in names if name not in made]).take(cut.place)
    columns = dict(zip(told.column_names, told.columns, strict=True)) | made
    ordered = {name: columns[name] for name in dict.fromkeys([*names, *columns])}
    # Readers look at whole parts: noting the range of every column would take a third of the time.
    options = {"compression": "zstd", "store_schema": False, "write_statistics": False}
    pq.write_table(pa.table(ordered), target, **options)


def _copy(con: duckdb.DuckDBPyConnection, query: str, target: Path) -> None:
    con.execute(f"COPY ({query}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION zstd)")
