"""Compute facts in DuckDB: for a whole log at import, for one actor when an event is edited.

At import an event's own facts are computed part by part, since an actor's events lie in one part;
facts about others likewise, after the events were divided anew by the values they share. So memory
does not grow with the log.
"""

import re
from collections.abc import Sequence
from typing import Any

import duckdb
import pandas as pd

from core.logs.engine import connect, in_parallel, quoted, scratch_folder
from core.logs.events import BUCKETS
from core.logs.fact import Fact
from core.logs.facts import entity_columns, event_facts, helpers, numeric_columns
from core.logs.frames import to_frame
from core.logs.mapping import Mapping
from core.logs.profiles import profile_facts
from core.logs.sequencing import Part, parts_of
from core.schema import Column

_EVENTS_PER_CHUNK = 500_000  # of events divided by what they share: these rows are short


def measure_others(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> None:
    """Create a table of the facts of scope `log` for each column whose values events share.

    They have `bucket` and `row` of the events of `accepted` that have a value.
    """
    for of, facts in _shared(mapping).items():
        con.execute(
            f"""CREATE TABLE shared AS SELECT bucket AS home, "row", ts, {_hashed(mapping)},
                hash({quoted(of)}) % {BUCKETS} AS bucket
            FROM accepted WHERE {quoted(of)} IS NOT NULL ORDER BY bucket"""
        )
        chunks = parts_of(con, "shared", _EVENTS_PER_CHUNK)

        def measure(own: duckdb.DuckDBPyConnection, chunk: Part, facts: list[Fact] = facts) -> None:
            events = f"(FROM shared WHERE {chunk.condition})"
            measured = _measured(mapping, facts, events, 'home, "row"')
            own.execute(f"CREATE OR REPLACE TABLE chunk_{chunk.number} AS {measured}")

        in_parallel(con, measure, chunks)
        tables = [f"chunk_{chunk.number}" for chunk in chunks]
        con.execute(
            f"""CREATE TABLE {_others(of)} AS SELECT home AS bucket, * EXCLUDE (home)
            FROM ({" UNION ALL ".join(f"FROM {table}" for table in tables)}) ORDER BY home"""
        )
        for table in ("shared", *tables):
            con.execute(f"DROP TABLE {table}")


def create_part(con: duckdb.DuckDBPyConnection, mapping: Mapping, part: Part) -> None:
    """Create the temporary table `events`: a part with all its facts, in the order of sequences.

    Needs what `cut_sequences` and `measure_others` leave.
    """
    own = [fact for fact in event_facts(mapping) if fact.scope == "actor"]
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE hashed AS
        SELECT "row", ts, "@sequence", position, {_hashed(mapping)}
        FROM (FROM accepted WHERE {part.condition})
            JOIN (SELECT "row", "group", piece, position FROM placed) USING ("row")
            JOIN (SELECT "group", piece, "@sequence" FROM pieces) USING ("group", piece)"""
    )
    measured = _measured(mapping, own, "hashed", '"row", "@sequence", position')
    con.execute(f"CREATE OR REPLACE TEMP TABLE facts AS {measured}")
    others = "".join(
        f""" LEFT JOIN (SELECT * EXCLUDE (bucket) FROM {_others(of)} WHERE {part.condition})
            USING ("row")"""
        for of in _shared(mapping)
    )
    facts = "".join(f", {_stored(fact)} AS {quoted(fact.name)}" for fact in event_facts(mapping))
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE events AS
        SELECT "@sequence", sequence_id, event.*, position{facts}
        FROM (SELECT * EXCLUDE (bucket) FROM accepted WHERE {part.condition}) AS event
            JOIN facts USING ("row")
            JOIN (SELECT "@sequence", sequence_id FROM pieces) USING ("@sequence"){others}
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
        query = own_facts_query(mapping, "edited", "_order")
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


def own_facts_query(mapping: Mapping, source: str, kept: str) -> str:
    """Return the query of the facts of scope `actor`, and of the column `kept`, of `source`."""
    facts = [fact for fact in event_facts(mapping) if fact.scope == "actor"]
    cells = ", ".join(f"{_stored(fact)} AS {quoted(fact.name)}" for fact in facts)
    return f"SELECT {kept}, {cells} FROM ({_measured(mapping, facts, source, kept)})"


def profile_query(mapping: Mapping, actions: Sequence[str], source: str) -> str:
    """Return the query of the profile facts of scope `sequence` of the sequences in `source`."""
    facts = [fact for fact in profile_facts(mapping, actions) if fact.scope == "sequence"]
    cells = ", ".join(f"CAST({fact.sql} AS DOUBLE) AS {quoted(fact.name)}" for fact in facts)
    return f"SELECT sequence_id, {cells} FROM {source} GROUP BY sequence_id"


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


def _measured(mapping: Mapping, facts: list[Fact], source: str, kept: str) -> str:
    """Return the query of `facts`, and of the columns `kept`, of every event in `source`."""
    known = {fact.name: fact.sql for fact in event_facts(mapping)} | helpers(mapping)
    stages, last = _stages(source, _needed([fact.name for fact in facts], known))
    return f"WITH {stages} SELECT {', '.join([kept, *map(_typed, facts)])} FROM {last}"


def _typed(fact: Fact) -> str:
    kinds = {"category": "VARCHAR", "count": "INTEGER"}
    return (
        f"CAST({quoted(fact.name)} AS {kinds.get(fact.bucketing, 'DOUBLE')}) AS {quoted(fact.name)}"
    )


def _words(sql: str) -> set[str]:
    return set(re.findall(r"\w+", sql))


def _needed(names: list[str], known: dict[str, str]) -> dict[str, str]:
    """Return the definitions of `names` and of whatever they name."""
    found: dict[str, str] = {}
    waiting = list(names)
    while waiting:
        if (name := waiting.pop()) not in found:
            found[name] = known[name]
            waiting += _words(known[name]) & set(known)
    return found


def _stages(source: str, definitions: dict[str, str]) -> tuple[str, str]:
    """Return chained SELECTs in which each definition stands after those that it names.

    And as late as it may: windows in one stage share a sort, and carry fewer columns.
    """
    waiting = dict(definitions)
    groups: list[dict[str, str]] = []
    while waiting:
        named = set().union(*(_words(sql) - {name} for name, sql in waiting.items()))
        last = {name: sql for name, sql in waiting.items() if name not in named}
        assert last, f"facts name each other in a circle: {sorted(waiting)}"
        groups.insert(0, last)
        waiting = {name: sql for name, sql in waiting.items() if name in named}
    stages: list[str] = []
    before = source
    for number, group in enumerate(groups):
        cells = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in group.items())
        stages.append(f"stage_{number} AS (SELECT *, {cells} FROM {before})")
        before = f"stage_{number}"
    return ", ".join(stages), before
