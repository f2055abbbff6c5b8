"""Events are cut into sequences, one part of the log at a time."""

from dataclasses import dataclass

import duckdb

from core.logs.engine import literal
from core.logs.events import BUCKETS
from core.logs.mapping import Mapping


@dataclass(frozen=True)
class Part:
    """A part of the log: all events of the actors in some buckets."""

    number: int
    first: int  # bucket
    last: int

    @property
    def condition(self) -> str:
        """SQL that tells an event of this part."""
        return f'"@bucket" BETWEEN {self.first} AND {self.last}'


WHOLE = Part(0, 0, BUCKETS - 1)


def parts_of(con: duckdb.DuckDBPyConnection, table: str, events: int) -> list[Part]:
    """Divide the buckets of `table` into parts of at most so many events, if a bucket has not more.

    There is one at least, even of an empty table.
    """
    sizes = con.execute(f'SELECT "@bucket", count(*) FROM {table} GROUP BY 1 ORDER BY 1')
    parts: list[Part] = []
    held = events
    for bucket, size in sizes.fetchall():
        if held + size > events:
            parts.append(Part(len(parts), bucket, bucket))
            held = 0
        parts[-1] = Part(parts[-1].number, parts[-1].first, bucket)
        held += size
    return parts or [WHOLE]


def cut_sequences(
    con: duckdb.DuckDBPyConnection, mapping: Mapping, dataset_id: str, part: Part
) -> None:
    """Create `placed`, where each event of a part of `accepted` stands, and `pieces`.

    `placed` has row, group (what is cut), piece (of it) and position. `pieces` has a row per
    sequence: group, piece, `@sequence` (their order, from 1), sequence_id, actor_id, events and
    was_cut.
    """
    most = mapping.sequence.max_events
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE placed AS
        SELECT * EXCLUDE (place), place // {most} AS piece, place % {most} AS position
        FROM (SELECT *, row_number() OVER (PARTITION BY "group" ORDER BY ts, "row") - 1 AS place
            FROM (SELECT *, hash(actor_id, key) AS "group" FROM ({_keyed(mapping, part)})))"""
    )
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE pieces AS
        SELECT *, row_number() OVER (ORDER BY actor_id, first_ts, first_row) AS "@sequence",
            max(piece) OVER (PARTITION BY "group") > 0 AS was_cut
        FROM (SELECT "group", piece, any_value(actor_id) AS actor_id,
                substr(md5(concat_ws(chr(31), {literal(dataset_id)}, any_value(actor_id),
                    any_value(key), CASE WHEN piece > 0 THEN piece END)), 1, 16) AS sequence_id,
                min(ts) AS first_ts, min("row") AS first_row, count(*) AS events
            FROM placed GROUP BY "group", piece)"""
    )


def _keyed(mapping: Mapping, part: Part) -> str:
    """Give each event the key of its sequence, which does not depend on other actors' rows."""
    events = f"FROM accepted WHERE {part.condition}"
    if mapping.sequence.by == "session":
        return f"""SELECT "row", ts, actor_id, coalesce(session_id, '') AS key {events}"""
    if mapping.sequence.by != "gap":
        return f"""SELECT "row", ts, actor_id, '' AS key {events}"""
    own = 'OVER (PARTITION BY actor_id ORDER BY ts, "row")'
    micros = int(mapping.sequence.gap_minutes * 60_000_000)
    return f"""SELECT "row", ts, actor_id, CAST(max("@start") OVER (
            PARTITION BY actor_id ORDER BY ts, "row" ROWS UNBOUNDED PRECEDING) AS VARCHAR) AS key
        FROM (SELECT "row", ts, actor_id,
                CASE WHEN coalesce(epoch_us(ts) - epoch_us(lag(ts) {own}), {micros} + 1) > {micros}
                     THEN epoch_us(ts) END AS "@start" {events})"""
