"""Compute facts: for a whole log at import, for some actors when events are edited.

At import an event's own facts are computed part by part, since an actor's events lie in one part;
facts about others likewise, after the events were divided anew by the values they share. So memory
does not grow with the log.
"""

from collections.abc import Callable, Iterable, Sequence

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from core.logs.engine import in_parallel, lent, quoted, to_arrow
from core.logs.events import BUCKETS
from core.logs.fact import entity_columns, numeric_columns
from core.logs.facts import Fact, event_facts
from core.logs.mapping import Mapping
from core.logs.ordered import NOTHING, Array, Events, Floats, Places
from core.logs.per_sequence import Sequences
from core.logs.profiles import profile_facts
from core.logs.repeats import CONTENT, content_columns
from core.logs.sequencing import Loaded, Part, parts_of
from core.schema import Column

_EVENTS_PER_CHUNK = 500_000  # of events divided by what they share: these rows are short


def measure_others(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> None:
    """Create a table of the facts of scope `log` for each column whose values events share.

    It has the `@bucket` of each event of `accepted` and its `@place` there, from 0, and lies in
    that order by stretches only: sorting all of it would take memory that grows with the log.
    """
    for of, facts in _shared(mapping).items():
        _compare(con, mapping, of, facts)


def _compare(con: duckdb.DuckDBPyConnection, mapping: Mapping, of: str, facts: list[Fact]) -> None:
    """Create the table of the facts about who shares the values of one column."""
    column, numbers = quoted(of), numeric_columns(mapping) if of == Column.ITEM else []
    told = ", ".join(["ts", *map(quoted, numbers)])
    con.execute(
        f"""CREATE TABLE shared AS SELECT * EXCLUDE ("row"), {column} % {BUCKETS} AS "@bucket"
        FROM (SELECT "@bucket" AS "@home", row_number() OVER () - 1 AS "@place", "row", {told},
                hash(actor_id) AS actor_id,
                CASE WHEN {column} IS NOT NULL THEN hash({column}) END AS {column} FROM accepted)
        WHERE {column} IS NOT NULL ORDER BY "@bucket", {column}, ts, "row" """
    )
    cells = ", ".join(f"{quoted(fact.name)} DOUBLE" for fact in facts)
    con.execute(f'CREATE TABLE {_others(of)} ("@bucket" SMALLINT, "@place" BIGINT, {cells})')

    def measure(own: duckdb.DuckDBPyConnection, chunk: Part) -> None:
        table = to_arrow(own, f"FROM shared WHERE {chunk.condition}")
        columns = {name: pd.factorize(table[name].to_numpy())[0] for name in (Column.ACTOR, of)}
        columns |= {name: table[name].to_numpy() for name in numbers}
        events = Events(columns, _micros(table, mapping), of, _computed(facts), {})
        order = np.argsort(table["@place"].to_numpy())
        names = ["@home", "@place"]
        found = [*(table[name].to_numpy() for name in names), *(events[f.name] for f in facts)]
        measured = pa.table(
            [pa.array(values[order], from_pandas=True) for values in found],
            [*names, *(fact.name for fact in facts)],
        )
        with lent(own, measured=measured):
            own.execute(f"INSERT INTO {_others(of)} FROM measured")

    in_parallel(con, measure, parts_of(con, "shared", _EVENTS_PER_CHUNK))
    con.execute("DROP TABLE shared")


def load_part(con: duckdb.DuckDBPyConnection, mapping: Mapping, part: Part) -> Loaded:
    """Return the events of a part of `accepted`; needs what `measure_others` leaves."""
    content = ", ".join(map(quoted, content_columns(mapping)))
    table = to_arrow(
        con,
        f"""SELECT * EXCLUDE ("@bucket"), hash({content}) AS "{CONTENT}"
        FROM accepted WHERE {part.condition}""",
    )
    columns: dict[str, Array] = {name: table[name].to_numpy() for name in numeric_columns(mapping)}
    for name in _names(mapping):
        named = table[name].chunk(0).dictionary_encode()
        table = table.set_column(table.schema.get_field_index(name), name, named)
        columns[name] = named.indices.fill_null(NOTHING).to_numpy().astype(np.int64)
    for of in _shared(mapping):
        columns |= _about_others(con, of, part, len(table))
    words = {Column.ACTION: table[Column.ACTION].chunk(0).dictionary.to_pylist()}
    own = [fact for fact in event_facts(mapping) if fact.scope == "actor"]
    events = Events(columns, _micros(table, mapping), Column.ACTOR, _computed(own), words)
    return Loaded(part, table, events)


def _about_others(
    con: duckdb.DuckDBPyConnection, of: str, part: Part, events: int
) -> dict[str, Floats]:
    """Return the facts about others that `_compare` found of the events of a part."""
    found = to_arrow(con, f'SELECT * EXCLUDE ("@bucket") FROM {_others(of)} WHERE {part.condition}')
    place = found["@place"].to_numpy() - part.before
    columns = {}
    for name in found.column_names[1:]:
        columns[name] = np.full(events, np.nan)
        columns[name][place] = found[name].to_numpy()
    return columns


def measure_actor(events: pd.DataFrame, mapping: Mapping) -> pd.DataFrame:
    """Return all events of some actors with the facts of scope `actor` computed anew.

    Facts of scope `log` stay as they were: editing an event does not change what others did.
    """
    facts = {fact.name: fact for fact in event_facts(mapping) if fact.scope == "actor"}
    place = _in_order(events, Column.ACTOR, mapping)
    ordered = events_of(events.drop(columns=list(facts), errors="ignore").iloc[place], mapping)
    found = {}
    for name, fact in facts.items():
        values = fact.of_frame(ordered[name])
        found[name] = np.empty_like(values)
        found[name][place] = values
    return events.assign(**found)


def measure_sequences(
    events: pd.DataFrame, mapping: Mapping, actions: Sequence[str]
) -> pd.DataFrame:
    """Return the profile facts of scope `sequence` of every sequence in `events`, by its id."""
    number, names = pd.factorize(events[Column.SEQUENCE])
    place = _in_order(events, Column.SEQUENCE, mapping)
    sequences = Sequences(events_of(events, mapping), place, np.bincount(number))
    return pd.DataFrame({Column.SEQUENCE: names, **summed_up(sequences, mapping, actions)})


def summed_up(sequences: Sequences, mapping: Mapping, actions: Sequence[str]) -> dict[str, Floats]:
    """Return the facts of scope `sequence`: (S,) each."""
    facts = [fact for fact in profile_facts(mapping, actions) if fact.scope == "sequence"]
    return {fact.name: fact.of_frame(fact.compute(sequences)) for fact in facts if fact.compute}


def events_of(events: pd.DataFrame, mapping: Mapping) -> Events:
    """Return the columns of a frame of events, and the facts of scope `actor` that it lacks.

    Where it lacks some, each actor's events lie together, by time and then by row.
    """
    facts = event_facts(mapping)
    numbers = [fact.name for fact in facts if fact.bucketing != "category"]
    numbers += [*numeric_columns(mapping), Column.POSITION]
    columns: dict[str, Array] = {
        name: events[name].to_numpy(np.float64, na_value=np.nan)
        for name in numbers
        if name in events
    }
    words = {}
    for name in _names(mapping):
        columns[name], known = pd.factorize(events[name])
        words[name] = list(known)
    timed = mapping.roles.time is not None
    times = events[Column.TIME].dt.as_unit("us").astype("int64").to_numpy() if timed else None
    return Events(columns, times, Column.ACTOR, _computed(facts), words)


def _in_order(events: pd.DataFrame, by: str, mapping: Mapping) -> Places:
    """Return the places of events so that those with equal values lie together, in time."""
    names = [Column.ROW, *([Column.TIME] if mapping.roles.time else [])]
    keys = [events[name].to_numpy() for name in names]
    return np.lexsort((*keys, pd.factorize(events[by])[0]))


def _computed(facts: Iterable[Fact]) -> dict[str, Callable[[Events], Array]]:
    return {fact.name: fact.compute for fact in facts if fact.compute}


def _names(mapping: Mapping) -> list[str]:
    """Return the columns whose values are told apart by facts."""
    return [Column.ACTOR, Column.SESSION, Column.ACTION, Column.ITEM, *entity_columns(mapping)]


def _micros(table: pa.Table, mapping: Mapping) -> Places | None:
    return table[Column.TIME].cast("int64").to_numpy() if mapping.roles.time else None


def own_facts(mapping: Mapping) -> list[str]:
    """Return the names of the facts of scope `actor`."""
    return [fact.name for fact in event_facts(mapping) if fact.scope == "actor"]


def _shared(mapping: Mapping) -> dict[str, list[Fact]]:
    """Return the facts about others by the column whose values they share."""
    found: dict[str, list[Fact]] = {}
    for fact in event_facts(mapping):
        if fact.of is not None:
            found.setdefault(fact.of, []).append(fact)
    return found


def _others(of: str) -> str:
    return quoted(f"others_{of}")
