"""Compute facts in DuckDB: for a whole log at import, for one actor when an event is edited.

At import an event's own facts are computed part by part, since an actor's events lie in one part;
facts about others likewise, after the events were divided anew by the values they share. So memory
does not grow with the log.
"""

from collections.abc import Sequence
from typing import Any

import duckdb
import pandas as pd

from core.logs.engine import connect, in_parallel, quoted, scratch_folder
from core.logs.events import BUCKETS
from core.logs.fact import Fact
from core.logs.facts import OWN, entity_columns, event_facts, helpers, numeric_columns
from core.logs.frames import to_frame
from core.logs.mapping import Mapping
from core.logs.ordering import Step, steps_of
from core.logs.profiles import profile_facts, with_hours
from core.logs.sequencing import Part, parts_of
from core.schema import Column

_EVENTS_PER_CHUNK = 500_000  # of events divided by what they share: these rows are short


def measure_others(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> None:
    """Create a table of the facts of scope `log` for each column whose values events share.

    It has the `@bucket` of each event of `accepted` and its `@place` there, and lies in that order
    by stretches only: sorting all of it would take memory that grows with the log.
    """
    for of, facts in _shared(mapping).items():
        _compare(con, mapping, of, facts)


def _compare(con: duckdb.DuckDBPyConnection, mapping: Mapping, of: str, facts: list[Fact]) -> None:
    """Create the table of the facts about who shares the values of one column."""
    column, others, kept = quoted(of), _others(of), '"@home" AS "@bucket", "@place"'
    numbered = f"""(SELECT "@bucket" AS "@home", row_number() OVER () AS "@place", "row", ts,
        {_hashed(mapping)} FROM accepted)"""
    con.execute(
        f"""CREATE TABLE shared AS SELECT *, hash({column}) % {BUCKETS} AS "@bucket"
        FROM {numbered} WHERE {column} IS NOT NULL ORDER BY "@bucket", {column}, ts, "row" """
    )
    none = _measured(con, mapping, facts, "(FROM shared LIMIT 0)", (of,), kept)
    con.execute(f"CREATE TABLE {others} AS {none}")

    def measure(own: duckdb.DuckDBPyConnection, chunk: Part) -> None:
        events = f"(FROM shared WHERE {chunk.condition})"
        query = _measured(own, mapping, facts, events, (of,), kept)
        own.execute(f'INSERT INTO {others} {query} ORDER BY "@place"')

    in_parallel(con, measure, parts_of(con, "shared", _EVENTS_PER_CHUNK))
    con.execute(
        f"INSERT INTO {others} BY NAME SELECT {kept} FROM {numbered} WHERE {column} IS NULL"
    )
    con.execute("DROP TABLE shared")


def create_part(con: duckdb.DuckDBPyConnection, mapping: Mapping, part: Part) -> None:
    """Create the temporary table `events`: a part with all its facts, in the order of sequences.

    Needs what `cut_sequences` and `measure_others` leave.
    """
    own = [fact for fact in event_facts(mapping) if fact.scope == "actor"]
    source = f"""(SELECT "row", ts, {_hashed(mapping)} FROM accepted WHERE {part.condition})"""
    query = _measured(con, mapping, own, source, OWN)
    con.execute(f"CREATE OR REPLACE TEMP TABLE facts AS {query}")
    others = "".join(
        f""" POSITIONAL JOIN (
            SELECT * EXCLUDE ("@bucket", "@place") FROM {_others(of)} WHERE {part.condition}
            ORDER BY "@place")"""
        for of in _shared(mapping)
    )
    stored = ", ".join(f"{_stored(fact)} AS {quoted(fact.name)}" for fact in event_facts(mapping))
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE places AS SELECT "@sequence", sequence_id, position
        FROM (SELECT "row", row_number() OVER () AS "@at" FROM accepted WHERE {part.condition})
            JOIN (SELECT "row", "group", piece, position FROM placed) USING ("row")
            JOIN (SELECT "group", piece, "@sequence", sequence_id FROM pieces)
                USING ("group", piece)
        ORDER BY "@at" """
    )
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE events AS SELECT * REPLACE ({stored})
        FROM (SELECT * EXCLUDE ("@bucket") FROM accepted WHERE {part.condition})
            POSITIONAL JOIN places POSITIONAL JOIN facts{others}
        ORDER BY "@sequence", position"""
    )


def measure_actor(events: pd.DataFrame, mapping: Mapping) -> pd.DataFrame:
    """Return all of one actor's events with the facts of scope `actor` computed anew.

    Facts of scope `log` stay as they were: editing an event does not change what others did.
    """
    names = own_facts(mapping)
    edited = events.drop(columns=names, errors="ignore")
    edited[Column.TIME] = naive(edited[Column.TIME])
    with scratch_folder() as scratch, connect(scratch) as con:
        con.register("edited", edited.assign(_order=range(len(edited))))
        steps, query = own_facts_steps(mapping, "edited", "_order")
        for step in steps:
            step.make(con)
        measured = to_frame(con.execute(f"{query} ORDER BY _order")).drop(columns="_order")
    return events.assign(**{str(name): measured[name].to_numpy() for name in measured})


def measure_sequences(
    events: pd.DataFrame, mapping: Mapping, actions: Sequence[str]
) -> pd.DataFrame:
    """Return the profile facts of scope `sequence` of every sequence in `events`."""
    edited = events.assign(**{Column.TIME: naive(events[Column.TIME])})
    with scratch_folder() as scratch, connect(scratch) as con:
        con.register("events", edited)
        return con.execute(profile_query(mapping, actions, "events")).df()


def own_facts(mapping: Mapping) -> list[str]:
    """Return the names of the facts of scope `actor`."""
    return [fact.name for fact in event_facts(mapping) if fact.scope == "actor"]


def own_facts_steps(mapping: Mapping, source: str, kept: str) -> tuple[list[Step], str]:
    """Return the steps to take, and then the query of the facts of scope `actor` of `source`.

    It has the column `kept`, too.
    """
    facts = [fact for fact in event_facts(mapping) if fact.scope == "actor"]
    cells = ", ".join([kept, *(f"{_stored(fact)} AS {quoted(fact.name)}" for fact in facts)])
    ordered = f'(FROM {source} ORDER BY actor_id, ts, "row")'
    steps, query = _steps(mapping, facts, ordered, OWN, kept)
    return steps, f"SELECT {cells} FROM ({query})"


def profile_query(mapping: Mapping, actions: Sequence[str], source: str) -> str:
    """Return the query of the profile facts of scope `sequence` of the sequences in `source`."""
    facts = [fact for fact in profile_facts(mapping, actions) if fact.scope == "sequence"]
    cells = ", ".join(f"CAST({fact.sql} AS DOUBLE) AS {quoted(fact.name)}" for fact in facts)
    events = with_hours(mapping, source, "sequence_id")
    return f"SELECT sequence_id, {cells} FROM {events} GROUP BY sequence_id"


def naive(times: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return times as DuckDB holds them: in UTC, without the zone."""
    plain: pd.Series[Any] = times.dt.tz_convert("UTC").dt.tz_localize(None)
    return plain


def _shared(mapping: Mapping) -> dict[str, list[Fact]]:
    """Return the facts about others by the column whose values they share."""
    found: dict[str, list[Fact]] = {}
    for fact in event_facts(mapping):
        if fact.of is not None:
            found.setdefault(fact.of, []).append(fact)
    return found


def _others(of: str) -> str:
    return quoted(f"others_{of}")


def _hashed(mapping: Mapping) -> str:
    """Return what facts are made of, with numbers for names: they sort and compare much faster."""
    named = ["actor_id", "action", *(["item"] if mapping.roles.item else [])]
    names = [
        f"CASE WHEN {quoted(name)} IS NOT NULL THEN hash({quoted(name)}) END AS {quoted(name)}"
        for name in (*named, *entity_columns(mapping))
    ]
    return ", ".join([*names, *map(quoted, numeric_columns(mapping))])


def _stored(fact: Fact) -> str:
    name = quoted(fact.name)
    return name if fact.bucketing == "category" else f"CAST({name} AS DOUBLE)"


def _measured(
    con: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    facts: list[Fact],
    source: str,
    by: tuple[str, ...],
    kept: str = "",
) -> str:
    """Take the steps to `facts`, and return the query of them and of the columns `kept`."""
    steps, query = _steps(mapping, facts, source, by, kept)
    for step in steps:
        step.make(con)
    return query


def _steps(
    mapping: Mapping, facts: list[Fact], source: str, by: tuple[str, ...], kept: str
) -> tuple[list[Step], str]:
    known = {fact.name: fact for fact in event_facts(mapping)} | helpers(mapping)
    cells = ", ".join([*([kept] if kept else []), *map(_typed, facts)])
    return steps_of(source, by, [fact.name for fact in facts], known, cells)


def _typed(fact: Fact) -> str:
    kinds = {"category": "VARCHAR", "count": "INTEGER"}
    return (
        f"CAST({quoted(fact.name)} AS {kinds.get(fact.bucketing, 'DOUBLE')}) AS {quoted(fact.name)}"
    )
