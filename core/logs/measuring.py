"""Compute facts in DuckDB: for a whole log at import, for one actor when an event is edited."""

import re
from collections.abc import Sequence
from typing import Any

import duckdb
import pandas as pd

from core.logs.engine import connect, quoted, scratch_folder
from core.logs.fact import Fact
from core.logs.facts import event_facts, helpers
from core.logs.frames import to_frame
from core.logs.mapping import Mapping
from core.logs.profiles import PATTERN, profile_facts
from core.schema import Column

# A sequence that is not cut by session can span several: then it has none.
_SESSION = """CASE WHEN count(session_id) = count(*) AND min(session_id) = max(session_id)
    THEN min(session_id) END"""


def add_event_facts(
    con: duckdb.DuckDBPyConnection, mapping: Mapping, *, source: str, target: str
) -> None:
    """Create the table `target`: the events of `source` with their facts."""
    _measure(con, mapping, event_facts(mapping), source, target)


def add_profiles(con: duckdb.DuckDBPyConnection, mapping: Mapping, actions: Sequence[str]) -> None:
    """Create the table `sequences` of the table `events`: one row each, with its profile."""
    facts = profile_facts(mapping, actions)
    aggregates = [fact for fact in facts if fact.name != "pattern_count"]
    cells = ", ".join(f"{fact.sql} AS {quoted(fact.name)}" for fact in aggregates)
    pattern = PATTERN if len(aggregates) < len(facts) else "NULL"
    con.execute(
        f"""CREATE TABLE profiles AS SELECT sequence_id, actor_id, {_SESSION} AS session_id,
            min(ts) AS first_ts, max(ts) AS last_ts, sum(amount) AS amount,
            min("row") AS first_row, any_value("partition") AS "partition",
            {pattern} AS pattern, {cells}
        FROM events GROUP BY sequence_id, actor_id"""
    )
    alike = {"pattern_count": "count(*) OVER (PARTITION BY pattern) - 1"}
    columns = ", ".join(
        f"CAST({alike.get(fact.name, quoted(fact.name))} AS DOUBLE) AS {quoted(fact.name)}"
        for fact in facts
        if fact.name != Column.EVENTS
    )
    con.execute(
        f"""CREATE TABLE sequences AS SELECT sequence_id, actor_id, session_id, first_ts, last_ts,
            events, amount, "partition", first_row{"," if columns else ""} {columns}
        FROM profiles"""
    )
    con.execute("DROP TABLE profiles")


def measure_actor(events: pd.DataFrame, mapping: Mapping) -> pd.DataFrame:
    """Return all of one actor's events with the facts of scope `actor` computed anew.

    Facts of scope `log` stay as they were: editing an event does not change what others did.
    """
    facts = [fact for fact in event_facts(mapping) if fact.scope == "actor"]
    stale = [fact.name for fact in facts]
    edited = events.drop(columns=stale, errors="ignore").reset_index(drop=True)
    edited[Column.TIME] = naive(edited[Column.TIME])
    with scratch_folder() as scratch, connect(scratch) as con:
        con.register("edited", edited.assign(_order=range(len(edited))))
        _measure(con, mapping, facts, "edited", "measured")
        measured = to_frame(con.execute("SELECT * FROM measured ORDER BY _order"))
    return measured[list(events.columns)]


def measure_sequences(
    events: pd.DataFrame, mapping: Mapping, actions: Sequence[str]
) -> pd.DataFrame:
    """Return the profile facts of scope `sequence` of every sequence in `events`."""
    facts = [fact for fact in profile_facts(mapping, actions) if fact.scope == "sequence"]
    cells = ", ".join(f"CAST({fact.sql} AS DOUBLE) AS {quoted(fact.name)}" for fact in facts)
    edited = events.assign(**{Column.TIME: naive(events[Column.TIME])})
    with scratch_folder() as scratch, connect(scratch) as con:
        con.register("events", edited)
        return con.execute(f"SELECT sequence_id, {cells} FROM events GROUP BY sequence_id").df()


def naive(times: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return times as DuckDB holds them: in UTC, without the zone."""
    plain: pd.Series[Any] = times.dt.tz_convert("UTC").dt.tz_localize(None)
    return plain


def _measure(
    con: duckdb.DuckDBPyConnection, mapping: Mapping, facts: list[Fact], source: str, target: str
) -> None:
    definitions = {fact.name: fact.sql for fact in facts} | helpers(mapping)
    base = [row[0] for row in con.execute(f"DESCRIBE {source}").fetchall()]
    columns = ", ".join([*map(quoted, base), *map(_typed, facts)])
    stages, last = _stages(source, definitions)
    con.execute(f"CREATE TABLE {target} AS WITH {stages} SELECT {columns} FROM {last}")


def _typed(fact: Fact) -> str:
    kind = "VARCHAR" if fact.bucketing == "category" else "DOUBLE"
    return f"CAST({quoted(fact.name)} AS {kind}) AS {quoted(fact.name)}"


def _stages(source: str, definitions: dict[str, str]) -> tuple[str, str]:
    """Return chained SELECTs in which each definition stands after those that it names."""
    waiting = dict(definitions)
    stages: list[str] = []
    before = source
    while waiting:
        ready = {
            name: sql
            for name, sql in waiting.items()
            if not (set(re.findall(r"\w+", sql)) - {name}) & set(waiting)
        }
        assert ready, f"facts name each other in a circle: {sorted(waiting)}"
        cells = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in ready.items())
        stage = f"stage_{len(stages)}"
        stages.append(f"{stage} AS (SELECT *, {cells} FROM {before})")
        before = stage
        waiting = {name: sql for name, sql in waiting.items() if name not in ready}
    return ", ".join(stages), before
