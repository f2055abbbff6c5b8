"""Compute facts in DuckDB: for a whole log at import, for one actor when an event is edited."""

import re
from collections.abc import Sequence
from typing import Any

import duckdb
import pandas as pd

from core.logs.engine import connect, quoted, scratch_folder
from core.logs.fact import Fact
from core.logs.facts import entity_columns, event_facts, helpers, numeric_columns
from core.logs.frames import to_frame
from core.logs.mapping import Mapping
from core.logs.profiles import PATTERN, profile_facts
from core.schema import Column

# A sequence that is not cut by session can span several: then it has none.
_SESSION = """CASE WHEN count(session_id) = count(*) AND min(session_id) = max(session_id)
    THEN min(session_id) END"""


def add_event_facts(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> None:
    """Create the view `events`: the events of the table `cut` with their facts."""
    facts = event_facts(mapping)
    _number_values(con, mapping)
    _measure(con, mapping, facts, "numbered", "facts", order='"@at"')
    con.execute("DROP TABLE numbered")
    con.execute(
        f"CREATE VIEW events AS SELECT {_with_facts(mapping)} FROM cut POSITIONAL JOIN facts"
    )


def events_between(mapping: Mapping, first: int, last: int) -> str:
    """Return SQL of the events `first` to `last` (counted from 0) with their place `@at`."""
    # A condition on the view `events` would be tried on every event of the log.
    return f"""SELECT "@at", {_with_facts(mapping)} FROM cut JOIN facts ON cut.rowid = facts."@at"
        WHERE cut.rowid BETWEEN {first} AND {last} AND facts."@at" BETWEEN {first} AND {last}"""


def _with_facts(mapping: Mapping) -> str:
    facts = (f"{_stored(fact)} AS {quoted(fact.name)}" for fact in event_facts(mapping))
    return ", ".join(["cut.*", *facts])


def _number_values(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> None:
    """Create `numbered`: what facts need of `cut`, with numbers for names.

    Sorting and comparing short numbers takes a fraction of the time and memory of names.
    """
    named = ["actor_id", "action", *entity_columns(mapping)]
    named += ["item"] if mapping.roles.item else []
    cells = ['cut.rowid AS "@at"', '"row"', "ts", *map(quoted, numeric_columns(mapping))]
    joins = []
    for number, name in enumerate(named):
        column = quoted(name)
        con.execute(
            f"""CREATE TABLE names_{number} AS
            SELECT value, CAST(row_number() OVER () AS INTEGER) AS number FROM (
                SELECT DISTINCT {column} AS value FROM cut WHERE {column} IS NOT NULL)"""
        )
        cells.append(f"names_{number}.number AS {column}")
        joins.append(f"LEFT JOIN names_{number} ON cut.{column} = names_{number}.value")
    con.execute(f"CREATE TABLE numbered AS SELECT {', '.join(cells)} FROM cut {' '.join(joins)}")
    for number in range(len(named)):
        con.execute(f"DROP TABLE names_{number}")


def _stored(fact: Fact) -> str:
    return (
        quoted(fact.name)
        if fact.bucketing == "category"
        else f"CAST({quoted(fact.name)} AS DOUBLE)"
    )


def add_profiles(con: duckdb.DuckDBPyConnection, mapping: Mapping, actions: Sequence[str]) -> None:
    """Create the table `sequences` of the table `events`: one row each, with its profile."""
    facts = profile_facts(mapping, actions)
    aggregates = [fact for fact in facts if fact.name != "pattern_count"]
    cells = ", ".join(f"{fact.sql} AS {quoted(fact.name)}" for fact in aggregates)
    pattern = PATTERN if len(aggregates) < len(facts) else "NULL"
    con.execute(
        f"""CREATE TABLE profiles AS SELECT "@sequence", {_SESSION} AS session_id,
            min(ts) AS first_ts, max(ts) AS last_ts, sum(amount) AS amount,
            {pattern} AS pattern, {cells}
        FROM events GROUP BY "@sequence" """
    )
    alike = {"pattern_count": "count(*) OVER (PARTITION BY pattern) - 1"}
    columns = "".join(
        f", CAST({alike.get(fact.name, quoted(fact.name))} AS DOUBLE) AS {quoted(fact.name)}"
        for fact in facts
        if fact.name != Column.EVENTS
    )
    con.execute(
        f"""CREATE TABLE sequences AS SELECT sequence_id, actor_id, session_id, profiles.first_ts,
            last_ts, events, amount, "partition"{columns}
        FROM profiles JOIN pieces USING ("@sequence") ORDER BY "@sequence" """
    )
    con.execute("DROP TABLE profiles")


def measure_actor(events: pd.DataFrame, mapping: Mapping) -> pd.DataFrame:
    """Return all of one actor's events with the facts of scope `actor` computed anew.

    Facts of scope `log` stay as they were: editing an event does not change what others did.
    """
    facts = [fact for fact in event_facts(mapping) if fact.scope == "actor"]
    edited = events.drop(columns=[fact.name for fact in facts], errors="ignore")
    edited[Column.TIME] = naive(edited[Column.TIME])
    with scratch_folder() as scratch, connect(scratch) as con:
        con.register("edited", edited.assign(_order=range(len(edited))))
        _measure(con, mapping, facts, "edited", "measured", order="_order")
        cells = ", ".join(f"{_stored(fact)} AS {quoted(fact.name)}" for fact in facts)
        measured = to_frame(con.execute(f"SELECT {cells} FROM measured ORDER BY _order"))
    return events.assign(**{str(name): measured[name].to_numpy() for name in measured})


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
    con: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    facts: list[Fact],
    source: str,
    target: str,
    *,
    order: str,
) -> None:
    definitions = {fact.name: fact.sql for fact in facts} | helpers(mapping)
    stages, last = _stages(source, definitions)
    cells = ", ".join([order, *map(_typed, facts)])
    con.execute(
        f"CREATE TABLE {target} AS WITH {stages} SELECT {cells} FROM {last} ORDER BY {order}"
    )


def _typed(fact: Fact) -> str:
    kinds = {"category": "VARCHAR", "count": "INTEGER"}
    return (
        f"CAST({quoted(fact.name)} AS {kinds.get(fact.bucketing, 'DOUBLE')}) AS {quoted(fact.name)}"
    )


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
