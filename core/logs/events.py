"""Source rows become canonical events in sequences; what cannot be used is kept with its reason."""

from dataclasses import dataclass

import duckdb

from core.errors import BadInput
from core.logs.engine import literal, quoted
from core.logs.mapping import Mapping, canonical_names
from core.logs.times import formats_of, time_sql
from core.schema import DEFAULT_ACTION

EVENTS_PER_PARTITION = 250_000


@dataclass(frozen=True)
class Counts:
    """What became of the rows that were read."""

    read: int
    accepted: int
    rejected: int
    duplicate: int
    repeated: int  # accepted rows that repeat an earlier row to the letter
    reasons: dict[str, int]  # rejected rows by reason


def create_events(con: duckdb.DuckDBPyConnection, mapping: Mapping, dataset_id: str) -> Counts:
    """Create the tables `rejected` and `cut` (events with sequence, position, partition).

    Raises
    ------
    BadInput
        If no row can be used.
    """
    _parse(con, mapping)
    _reject(con)
    _mark_duplicates(con, mapping)
    counts = _count(con)
    if not counts.accepted:
        raise BadInput(_nothing_usable(counts))
    _cut(con, mapping, dataset_id, -(-counts.accepted // EVENTS_PER_PARTITION))
    return counts


def create_preview(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> Counts:
    """Create the table `cut` as an import would, of whatever `source` holds."""
    return create_events(con, mapping, "preview")


def _parse(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> None:
    roles = mapping.roles
    assert roles.actor is not None
    timed = _time(con, mapping)
    action = f"{quoted(roles.action)}" if roles.action else literal(DEFAULT_ACTION)
    cells = [
        f"{quoted(roles.actor)} AS actor_id",
        f"{_column(roles.session)} AS session_id",
        f"{_column(roles.event_id)} AS event_id",
        f"{timed} AS ts",
        f"{action} AS action",
        f"{_column(roles.item)} AS item",
        f"{_number(roles.amount)} AS amount",
    ]
    for source, name in canonical_names(mapping).items():
        numeric = mapping.columns[source] == "numeric"
        cells.append(f"{_number(source) if numeric else quoted(source)} AS {quoted(name)}")
    con.execute(
        f"""CREATE TABLE parsed AS SELECT *,
            coalesce("@refused", CASE WHEN actor_id IS NULL THEN 'no actor'
                {_time_reasons(roles.time)} END) AS "@reason"
        FROM (SELECT "@row" AS "row", "@line", "@file", "@refused", {", ".join(cells)},
                {_raw_time(roles.time)} AS "@time", "@text" FROM source)"""
    )


def _time(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> str:
    column = mapping.roles.time
    if column is None:
        return "CAST(NULL AS TIMESTAMP)"
    return time_sql(quoted(column), mapping.time, formats_of(con, column))


def _column(source: str | None) -> str:
    return quoted(source) if source else "CAST(NULL AS VARCHAR)"


def _number(source: str | None) -> str:
    return f"number_of({quoted(source)})" if source else "CAST(NULL AS DOUBLE)"


def _raw_time(source: str | None) -> str:
    return quoted(source) if source else "NULL"


def _time_reasons(source: str | None) -> str:
    if source is None:
        return ""
    return """WHEN "@time" IS NULL THEN 'no time' WHEN ts IS NULL THEN 'time cannot be read'"""


def _reject(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """CREATE TABLE rejected AS
        SELECT "@line" AS line, "@reason" AS reason, "@text" AS raw, "@file" AS file
        FROM parsed WHERE "@reason" IS NOT NULL ORDER BY "row" """
    )


def _mark_duplicates(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> None:
    """Create `usable`: rows without a reason; `duplicate` where an earlier row counts instead."""
    marks = []
    if mapping.roles.event_id:
        first = 'min("row") OVER (PARTITION BY event_id)'
        marks.append(f'(event_id IS NOT NULL AND "row" > {first})')
    if mapping.duplicates == "drop":
        marks.append('"row" > min("row") OVER (PARTITION BY "@text")')
    con.execute(
        f"""CREATE TABLE usable AS SELECT *, {" OR ".join(marks) or "false"} AS "@duplicate"
        FROM parsed WHERE "@reason" IS NULL"""
    )
    con.execute("DROP TABLE parsed")


def _count(con: duckdb.DuckDBPyConnection) -> Counts:
    row = con.execute(
        """SELECT count(*) FILTER (NOT "@duplicate"), count(*) FILTER ("@duplicate"),
            count(*) FILTER (NOT "@duplicate")
                - count(DISTINCT "@text") FILTER (NOT "@duplicate"),
            (SELECT count(*) FROM rejected) FROM usable"""
    ).fetchone()
    assert row is not None
    accepted, duplicate, repeated, rejected = row
    reasons = con.execute(
        "SELECT reason, count(*) FROM rejected GROUP BY reason ORDER BY 2 DESC, 1"
    )
    read = accepted + duplicate + rejected
    return Counts(read, accepted, rejected, duplicate, repeated, dict(reasons.fetchall()))


def _nothing_usable(counts: Counts) -> str:
    if not counts.read:
        return "The log holds no row below its header. Accepted: at least one event."
    reasons = ", ".join(f"{reason}: {rows}" for reason, rows in counts.reasons.items())
    return (
        f"None of the {counts.read} rows can be used ({reasons}). Accepted times: ISO 8601, "
        "YYYYMMDD, 31/12/2019, 12/31/2019, 31.12.2019, Oct 1, 2019, 2019年10月1日, with or without "
        "a clock, and seconds to nanoseconds since 1970. Check the mapping."
    )


def _cut(con: duckdb.DuckDBPyConnection, mapping: Mapping, dataset_id: str, parts: int) -> None:
    rule = mapping.sequence
    extras = [quoted(name) for name in canonical_names(mapping).values()]
    columns = ", ".join(
        ["actor_id", "session_id", "event_id", "ts", '"row"', "action", "item", "amount", *extras]
    )
    con.execute(
        f"""CREATE TABLE cut AS SELECT
            substr(md5(concat_ws(chr(31), {literal(dataset_id)}, actor_id, "@key",
                CASE WHEN "@place" >= {rule.max_events}
                     THEN "@place" // {rule.max_events} END)), 1, 16) AS sequence_id,
            {columns}, "@place" % {rule.max_events} AS position,
            CAST(hash(actor_id) % {parts} AS INTEGER) AS "partition"
        FROM (SELECT *, row_number() OVER (
                PARTITION BY actor_id, "@key" ORDER BY ts, "row") - 1 AS "@place"
            FROM ({_keyed(mapping)}))"""
    )
    con.execute("DROP TABLE usable")


def _keyed(mapping: Mapping) -> str:
    """Give each event the key of its sequence, which does not depend on other actors' rows."""
    events = 'SELECT * FROM usable WHERE NOT "@duplicate"'
    if mapping.sequence.by == "session":
        return f"""SELECT *, coalesce(session_id, '') AS "@key" FROM ({events})"""
    if mapping.sequence.by != "gap":
        return f"""SELECT *, '' AS "@key" FROM ({events})"""
    own = 'OVER (PARTITION BY actor_id ORDER BY ts, "row")'
    micros = int(mapping.sequence.gap_minutes * 60_000_000)
    return f"""SELECT *, CAST(max("@start") OVER (
            PARTITION BY actor_id ORDER BY ts, "row" ROWS UNBOUNDED PRECEDING) AS VARCHAR) AS "@key"
        FROM (SELECT *, CASE WHEN coalesce(epoch_us(ts) - epoch_us(lag(ts) {own}), {micros} + 1)
                > {micros} THEN epoch_us(ts) END AS "@start" FROM ({events}))"""
