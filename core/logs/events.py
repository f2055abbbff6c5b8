"""Source rows become canonical events in sequences; what cannot be used is kept with its reason."""

from dataclasses import dataclass

import duckdb

from core.errors import BadInput
from core.logs.engine import literal, quoted
from core.logs.mapping import Mapping, canonical_names
from core.logs.privacy import is_private
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
    reasons: dict[str, int]  # rejected rows by reason


def create_events(con: duckdb.DuckDBPyConnection, mapping: Mapping, dataset_id: str) -> Counts:
    """Create the tables `rejected`, `cut` and `pieces`.

    `cut` holds the events in their order: by sequence (`@sequence`, from 1) and position.
    `pieces` holds the sequences: `@sequence`, id, actor, partition.

    Raises
    ------
    BadInput
        If no row can be used.
    """
    _parse(con, mapping)
    _reject(con)
    _find_duplicates(con, mapping)
    counts = _count(con)
    if not counts.accepted:
        raise BadInput(_nothing_usable(counts))
    _place(con, mapping)
    _name_pieces(con, mapping, dataset_id, -(-counts.accepted // EVENTS_PER_PARTITION))
    _cut(con, mapping)
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
        cells.append(f"{_cell(mapping, source)} AS {quoted(name)}")
    con.execute(
        f"""CREATE TABLE parsed AS
        SELECT * EXCLUDE ("@refused", "@time", "@line", "@file", "@text"),
            CASE WHEN "@reason" IS NOT NULL THEN "@line" END AS "@line",
            CASE WHEN "@reason" IS NOT NULL THEN "@file" END AS "@file",
            {_kept_text(mapping)} AS "@text"
        FROM (SELECT *, coalesce("@refused", CASE WHEN actor_id IS NULL THEN 'no actor'
                {_time_reasons(roles.time)} END) AS "@reason"
            FROM (SELECT "@row" AS "row", "@line", "@file", "@text", "@refused",
                {_raw_time(roles.time)} AS "@time", {", ".join(cells)}
                FROM source))"""
    )


def _time(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> str:
    column = mapping.roles.time
    if column is None:
        return "CAST(NULL AS TIMESTAMP)"
    return time_sql(quoted(column), mapping.time, formats_of(con, column))


def _cell(mapping: Mapping, source: str) -> str:
    """Return SQL of a column without a role."""
    if source in mapping.mask:
        return f"mask({quoted(source)})"
    by_kind = {"numeric": _number(source), "personal": f"pseudonym({quoted(source)})"}
    return by_kind.get(mapping.columns[source], quoted(source))


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


def _kept_text(mapping: Mapping) -> str:
    """Keep the text of rejected rows only, unless repeats are told by it."""
    rejected = 'mask("@text")' if is_private(mapping) else '"@text"'
    others = '"@text"' if mapping.duplicates == "drop" else "NULL"
    return f'CASE WHEN "@reason" IS NOT NULL THEN {rejected} ELSE {others} END'


def _reject(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """CREATE TABLE rejected AS
        SELECT "@line" AS line, "@reason" AS reason, "@text" AS raw, "@file" AS file
        FROM parsed WHERE "@reason" IS NOT NULL ORDER BY "row" """
    )


def _find_duplicates(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> None:
    """Create `duplicates`, rows for which an earlier one counts, and `usable`, all others."""
    keys = ['"@text"'] if mapping.duplicates == "drop" else []
    keys += ["event_id"] if mapping.roles.event_id else []
    found = [
        f"""SELECT "row" FROM parsed WHERE "@reason" IS NULL AND {key} IS NOT NULL
        QUALIFY "row" > min("row") OVER (PARTITION BY {key})"""
        for key in keys
    ]
    con.execute(
        f"""CREATE TABLE duplicates AS
        {" UNION ".join(found) or 'SELECT "row" FROM parsed WHERE false'}"""
    )
    later = 'AND "row" NOT IN (FROM duplicates)' if keys else ""
    con.execute(
        f"""CREATE VIEW usable AS SELECT * EXCLUDE ("@reason", "@line", "@file", "@text")
        FROM parsed WHERE "@reason" IS NULL {later}"""
    )


def _count(con: duckdb.DuckDBPyConnection) -> Counts:
    row = con.execute(
        """SELECT count(*), (SELECT count(*) FROM duplicates), (SELECT count(*) FROM rejected)
        FROM usable"""
    ).fetchone()
    assert row is not None
    accepted, duplicate, rejected = row
    reasons = con.execute(
        "SELECT reason, count(*) FROM rejected GROUP BY reason ORDER BY 2 DESC, 1"
    )
    read = accepted + duplicate + rejected
    return Counts(read, accepted, rejected, duplicate, dict(reasons.fetchall()))


def _nothing_usable(counts: Counts) -> str:
    if not counts.read:
        return "The log holds no row below its header. Accepted: at least one event."
    reasons = ", ".join(f"{reason}: {rows}" for reason, rows in counts.reasons.items())
    return (
        f"None of the {counts.read} rows can be used ({reasons}). Accepted times: ISO 8601, "
        "YYYYMMDD, 31/12/2019, 12/31/2019, 31.12.2019, Oct 1, 2019, 2019年10月1日, with or without "
        "a clock, and seconds to nanoseconds since 1970. Check the mapping."
    )


def _place(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> None:
    """Create `groups`, what is cut, and `placed`, where in it each event stands.

    Numbers stand for names from here on: windows over short rows cost a fraction.
    """
    con.execute(f"CREATE VIEW keyed AS {_keyed(mapping)}")
    con.execute(
        """CREATE TABLE groups AS SELECT row_number() OVER () AS "group", actor_id, "@key"
        FROM (SELECT DISTINCT actor_id, "@key" FROM keyed)"""
    )
    most = mapping.sequence.max_events
    con.execute(
        f"""CREATE TABLE placed AS SELECT "row", ts, "group",
            "@place" // {most} AS piece, "@place" % {most} AS position
        FROM (SELECT "row", ts, "group", row_number() OVER (
                PARTITION BY "group" ORDER BY ts, "row") - 1 AS "@place"
            FROM keyed JOIN groups USING (actor_id, "@key"))"""
    )


def _keyed(mapping: Mapping) -> str:
    """Give each event the key of its sequence, which does not depend on other actors' rows."""
    if mapping.sequence.by == "session":
        return """SELECT "row", ts, actor_id, coalesce(session_id, '') AS "@key" FROM usable"""
    if mapping.sequence.by != "gap":
        return """SELECT "row", ts, actor_id, '' AS "@key" FROM usable"""
    own = 'OVER (PARTITION BY actor_id ORDER BY ts, "row")'
    micros = int(mapping.sequence.gap_minutes * 60_000_000)
    return f"""SELECT "row", ts, actor_id, CAST(max("@start") OVER (
            PARTITION BY actor_id ORDER BY ts, "row" ROWS UNBOUNDED PRECEDING) AS VARCHAR) AS "@key"
        FROM (SELECT "row", ts, actor_id,
                CASE WHEN coalesce(epoch_us(ts) - epoch_us(lag(ts) {own}), {micros} + 1) > {micros}
                     THEN epoch_us(ts) END AS "@start" FROM usable)"""


def _name_pieces(
    con: duckdb.DuckDBPyConnection, mapping: Mapping, dataset_id: str, parts: int
) -> None:
    """Create `pieces`: one row per sequence, numbered in the order they are stored in."""
    con.execute(
        f"""CREATE TABLE pieces AS SELECT *, row_number() OVER (
                ORDER BY "partition", actor_id, first_ts, first_row) AS "@sequence"
        FROM (SELECT "group", piece, first_ts, first_row, actor_id,
                CAST(hash(actor_id) % {parts} AS INTEGER) AS "partition",
                substr(md5(concat_ws(chr(31), {literal(dataset_id)}, actor_id, "@key",
                    CASE WHEN piece > 0 THEN piece END)), 1, 16) AS sequence_id
            FROM (SELECT "group", piece, min(ts) AS first_ts, min("row") AS first_row
                FROM placed GROUP BY ALL) JOIN groups USING ("group"))"""
    )


def _cut(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> None:
    names = ["session_id", "event_id", "ts", "row", "action", "item", "amount"]
    extras = canonical_names(mapping).values()
    columns = ", ".join(f"usable.{quoted(name)}" for name in [*names, *extras])
    con.execute(
        f"""CREATE TABLE cut AS SELECT "@sequence", sequence_id, pieces.actor_id, {columns},
            position, "partition"
        FROM usable JOIN placed USING ("row") JOIN pieces USING ("group", piece)
        ORDER BY "@sequence", position"""
    )
    con.execute("DROP VIEW keyed; DROP VIEW usable; DROP TABLE parsed; DROP TABLE placed")
