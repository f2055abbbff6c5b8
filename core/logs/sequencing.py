"""Events are cut into sequences, one part of the log at a time."""

from dataclasses import dataclass, replace

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.logs.engine import lent, literal, to_arrow
from core.logs.events import BUCKETS
from core.logs.mapping import Mapping
from core.logs.ordered import SECOND, Events, Order, Places
from core.schema import Column


@dataclass(frozen=True)
class Part:
    """A part of the log: all events of the actors in some buckets."""

    number: int
    first: int  # bucket
    last: int
    before: int  # events in the buckets before

    @property
    def condition(self) -> str:
        """SQL that tells an event of this part."""
        return f'"@bucket" BETWEEN {self.first} AND {self.last}'


WHOLE = Part(0, 0, BUCKETS - 1, 0)


def parts_of(con: duckdb.DuckDBPyConnection, table: str, events: int) -> list[Part]:
    """Divide the buckets of `table` into parts of at most so many events, if a bucket has not more.

    There is one at least, even of an empty table.
    """
    sizes = con.execute(f'SELECT "@bucket", count(*) FROM {table} GROUP BY 1 ORDER BY 1')
    parts: list[Part] = []
    seen = 0
    for bucket, size in sizes.fetchall():
        if not parts or seen + size - parts[-1].before > events:
            parts.append(Part(len(parts), bucket, bucket, seen))
        parts[-1] = replace(parts[-1], last=bucket)
        seen += size
    return parts or [WHOLE]


@dataclass(frozen=True)
class Loaded:
    """The N events of a part, as they lie in `accepted`: by actor, time and row.

    In the table names are numbers with a dictionary; `events` computes facts of them.
    """

    part: Part
    table: pa.Table
    events: Events


@dataclass(frozen=True)
class Cut:
    """N events cut into S sequences, in the order of their actors' names, then of time."""

    place: Places  # of the events, one sequence after the other, (N,)
    first: Places  # event of each sequence, (S,)
    sizes: Places  # events of each sequence, (S,)
    whole: Places  # events of what it was cut from, (S,): more where it was too long
    ids: pa.StringArray  # (S,)


def cut_sequences(
    con: duckdb.DuckDBPyConnection, loaded: Loaded, mapping: Mapping, dataset_id: str
) -> Cut:
    """Cut the events of a part; they get their position.

    Ids depend on the data set, the actor and the session or its first event, and on nothing else:
    so they survive appending.
    """
    most = mapping.sequence.max_events
    order = _grouped(loaded.events, mapping)
    turn = order.turn() - 1
    position = turn % most
    made = order.sum_so_far(position == 0) - 1  # number of each event's sequence, in no order yet
    begins = np.flatnonzero(position == 0)
    first = begins[np.argsort(_ranked(loaded.table)[begins], kind="stable")]
    number = np.empty(len(first), dtype=np.int64)
    number[made[first]] = np.arange(len(first))
    loaded.events.put(Column.POSITION, position)
    return Cut(
        place=np.argsort(number[made], kind="stable"),
        first=first,
        sizes=np.bincount(number[made], minlength=len(first)),
        whole=order.size()[first],
        ids=_ids(con, loaded, mapping, dataset_id, first, turn[first]),
    )


def _grouped(events: Events, mapping: Mapping) -> Order:
    """Return the order of what is cut together."""
    own = events.by(Column.ACTOR)
    if mapping.sequence.by == "session":
        return events.by(Column.ACTOR, Column.SESSION)
    if mapping.sequence.by != "gap":
        return own
    pauses = ~(own.since_previous() <= mapping.sequence.gap_minutes * 60 * SECOND)
    return Order(np.cumsum(pauses), events.times, None)


def _ranked(table: pa.Table) -> Places:
    """Return the place of each event's actor among the actors' names."""
    actors = table[Column.ACTOR].chunk(0)
    rank = np.empty(len(actors.dictionary), dtype=np.int64)
    rank[pc.sort_indices(actors.dictionary)] = np.arange(len(rank))
    ranked: Places = rank[actors.indices]
    return ranked


def _ids(
    con: duckdb.DuckDBPyConnection,
    loaded: Loaded,
    mapping: Mapping,
    dataset_id: str,
    first: Places,
    turn: Places,
) -> pa.Array:
    """Return the ids of the sequences that begin with the events `first`.

    Each is the event of that `turn`, from 0, of what it was cut from.
    """
    told = loaded.table.select([Column.ACTOR, Column.SESSION]).take(first)
    told = told.append_column("piece", pa.array(turn // mapping.sequence.max_events))
    key = {"session": f"coalesce({Column.SESSION}, '')", "gap": '"began"::VARCHAR'}
    if mapping.sequence.by == "gap":  # events of a group lie together
        told = told.append_column("began", pa.array(loaded.events.times[first - turn]))
    parts = f"""{literal(dataset_id)}, {Column.ACTOR}, {key.get(mapping.sequence.by, "''")},
        CASE WHEN piece > 0 THEN piece END"""
    with lent(con, told=told):
        found = to_arrow(
            con, f"SELECT substr(md5(concat_ws(chr(31), {parts})), 1, 16) AS id FROM told"
        )
    return found["id"].chunk(0)
