"""Source rows become canonical events; what cannot be used is kept with its reason."""

from dataclasses import dataclass

import duckdb

from core.errors import BadInput
from core.logs.engine import literal, one_row, quoted
from core.logs.mapping import Kind, Mapping, canonical_names, event_columns
from core.logs.numbers import as_number
from core.logs.outliers import numeric_sources
from core.logs.privacy import is_private
from core.logs.times import formats_in, formats_of, time_sql
from core.schema import DEFAULT_ACTION

_UNREAD = "time cannot be read"
# Where logs write this instead of an actor, it is no one actor's.
_NOBODY = "coalesce(actor_id, '-') IN ('-', '--', 'N/A', 'n/a', 'undefined')"
_LEFT_OUT = "left out, it may hold what is personal: "
BUCKETS = 1024  # of actors: events lie by bucket, and parts of the log are made of whole ones


@dataclass(frozen=True)
class Counts:
    """What became of the rows that were read."""

    read: int
    accepted: int
    rejected: int
    duplicate: int
    reasons: dict[str, int]  # rejected rows by reason


def create_events(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> Counts:
    """Create the tables `accepted`, `rejected` and `unread` from `source`.

    `accepted` holds the usable events, by `@bucket` of their actor (0 to `BUCKETS` - 1), then by
    the hash of the actor, time and row: facts are computed along this order.

    Raises
    ------
    BadInput
        If no row can be used.
    """
    formats = formats_of(con, mapping.roles.time) if mapping.roles.time else []
    _parse(con, mapping, formats)
    while learned := _unknown_formats(con, formats):  # those that first appear further below
        formats += learned
        _parse(con, mapping, formats)
    _reject(con)
    duplicate = _drop_duplicates(con, mapping)
    _list_unread(con, mapping)
    counts = _count(con, duplicate)
    if not counts.accepted:
        raise BadInput(_nothing_usable(counts))
    return counts


def _unknown_formats(con: duckdb.DuckDBPyConnection, known: list[str]) -> list[str]:
    """Return the ways of writing times among those that could not be read."""
    unread = con.execute(
        """SELECT "@time" FROM (SELECT "@time" FROM accepted WHERE "@time" IS NOT NULL)
        USING SAMPLE reservoir(2000 ROWS) REPEATABLE (0)"""
    )
    found = formats_in(value for (value,) in unread.fetchall())
    return [format for format in found if format not in known]


def _parse(con: duckdb.DuckDBPyConnection, mapping: Mapping, formats: list[str]) -> None:
    roles = mapping.roles
    assert roles.actor is not None
    timed = (
        time_sql(quoted(roles.time), mapping.time, formats)
        if roles.time
        else "CAST(NULL AS TIMESTAMP)"
    )
    action = f"{quoted(roles.action)}" if roles.action else literal(DEFAULT_ACTION)
    cells = [
        f"{quoted(roles.actor)} AS actor_id",
        f"{_column(roles.session)} AS session_id",
        f"{_column(roles.event_id)} AS event_id",
        f"{timed} AS ts",
        f"{action} AS action",
        f"{_column(roles.item)} AS item",
        f"{_number(mapping, roles.amount)} AS amount",
    ]
    rejected = 'mask("@kept")' if is_private(mapping) else '"@kept"'
    others = 'md5("@text")' if mapping.duplicates == "drop" else "NULL"  # repeats are told by it
    for source, name in canonical_names(mapping).items():
        cells.append(f"{_cell(mapping, source)} AS {quoted(name)}")
    # Read once, and sorted on the way: a table in between would be written and read for nothing.
    con.execute(
        f"""CREATE OR REPLACE TABLE accepted AS
        SELECT COLUMNS(lambda name: NOT starts_with(name, '@')), "@reason",
            CASE WHEN "@reason" IS NULL THEN hash(actor_id) % {BUCKETS} ELSE -1 END::SMALLINT
                AS "@bucket",
            CASE WHEN "@reason" IS NOT NULL THEN "@line" END AS "@line",
            CASE WHEN "@reason" IS NOT NULL THEN "@file" END AS "@file",
            CASE WHEN "@reason" IS NOT NULL THEN {rejected} ELSE {others} END AS "@text",
            CASE WHEN "@reason" = '{_UNREAD}' THEN "@time" END AS "@time",
            {_unread(mapping)} AS "@unread"
        FROM (SELECT *, coalesce("@refused", CASE WHEN {_NOBODY} THEN 'no actor'
                {_time_reasons(roles.time)} END) AS "@reason"
            FROM (SELECT "@row" AS "row", "@line", "@file", "@text", "@refused",
                {_raw_time(roles.time)} AS "@time", {_kept_text(con, mapping)} AS "@kept",
                {", ".join([*cells, *_raw_numbers(mapping)])}
                FROM source)) ORDER BY "@bucket", hash(actor_id), ts, "row" """
    )


def _cell(mapping: Mapping, source: str) -> str:
    """Return SQL of a column without a role."""
    if source in mapping.mask:
        return f"mask({quoted(source)})"
    by_kind = {"numeric": _number(mapping, source), "personal": f"pseudonym({quoted(source)})"}
    return by_kind.get(mapping.columns[source], quoted(source))


def _column(source: str | None) -> str:
    return quoted(source) if source else "CAST(NULL AS VARCHAR)"


def _number(mapping: Mapping, source: str | None) -> str:
    if source is None:
        return "CAST(NULL AS DOUBLE)"
    return as_number(source, comma=source in mapping.decimal_comma)


def _raw_numbers(mapping: Mapping) -> list[str]:
    return [
        f'{quoted(source)} AS "@number_{place}"'
        for place, source in enumerate(numeric_sources(mapping, event_columns(mapping)))
    ]


def _unread(mapping: Mapping) -> str:
    """Return SQL of the numbers of a row that could not be read, as JSON; null without any."""
    names = numeric_sources(mapping, event_columns(mapping)).values()
    lost = [f"{quoted(name)} IS NULL" for name in names]
    raw = [f'"@number_{place}"' for place in range(len(lost))]
    any_lost = [f"{null} AND {x} IS NOT NULL" for null, x in zip(lost, raw, strict=True)]
    each = [f"CASE WHEN {null} THEN {x} END" for null, x in zip(lost, raw, strict=True)]
    return f"CASE WHEN {' OR '.join(any_lost) or 'false'} THEN to_json([{', '.join(each)}]) END"


def _list_unread(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> None:
    """Create `unread`: values that are there but are no numbers, each with its column and row."""
    sources = ", ".join(map(literal, numeric_sources(mapping, event_columns(mapping))))
    con.execute(
        f"""CREATE TABLE unread AS SELECT * FROM (
            SELECT "row", unnest([{sources}]::VARCHAR[]) AS name,
                unnest(json_extract_string("@unread", '$[*]')) AS value,
                1 AS times FROM accepted WHERE "@unread" IS NOT NULL) WHERE value IS NOT NULL"""
    )
    con.execute('ALTER TABLE accepted DROP COLUMN "@unread"')


def _raw_time(source: str | None) -> str:
    return quoted(source) if source else "NULL"


def _time_reasons(source: str | None) -> str:
    if source is None:
        return ""
    return f"""WHEN "@time" IS NULL THEN 'no time' WHEN ts IS NULL THEN '{_UNREAD}'"""


def _kept_text(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> str:
    """Return SQL of what is kept of a row that is rejected: its text, where nothing is personal.

    Else its cells, those of ignored columns as pseudonyms, too; of a row that did not split into
    cells nobody knows which part is personal, so only what tells it from another is kept.
    """
    if "personal" not in mapping.columns.values():
        return '"@text"'
    names = [name for name, *_ in con.execute("DESCRIBE source").fetchall()]
    cells = [
        f"coalesce({_kept_cell(name, mapping.columns.get(name))}, '')"
        for name in names
        if not name.startswith("@")
    ]
    row = f"concat_ws({literal(mapping.format.delimiter or ';')}, {', '.join(cells)})"
    left_out = f'concat({literal(_LEFT_OUT)}, kept("@text"))'
    return f"""CASE WHEN "@refused" IS NULL THEN {row} ELSE {left_out} END"""


def _kept_cell(name: str, kind: Kind | None) -> str:
    return f"kept({quoted(name)})" if kind in ("personal", "ignore") else quoted(name)


def _reject(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """CREATE TABLE rejected AS
        SELECT "@line" AS line, "@reason" AS reason, "@text" AS raw, "@file" AS file
        FROM accepted WHERE "@bucket" < 0 ORDER BY "row" """
    )
    con.execute('DELETE FROM accepted WHERE "@bucket" < 0')
    for column in ("@reason", "@line", "@file", "@time"):
        con.execute(f"ALTER TABLE accepted DROP COLUMN {quoted(column)}")


def _drop_duplicates(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> int:
    """Drop the events for which an earlier row counts; return how many they are."""
    keys = ['"@text"'] if mapping.duplicates == "drop" else []
    keys += ["event_id"] if mapping.roles.event_id else []
    found = [
        f"""SELECT "row" FROM accepted JOIN (
            SELECT {key} AS "@key", min("row") AS "@first" FROM accepted
            WHERE {key} IS NOT NULL GROUP BY {key} HAVING count(*) > 1) ON {key} = "@key"
        WHERE "row" > "@first" """
        for key in keys
    ]
    con.execute(
        f"""CREATE TABLE duplicates AS
        {" UNION ".join(found) or 'SELECT "row" FROM accepted WHERE false'}"""
    )
    con.execute('DELETE FROM accepted WHERE "row" IN (FROM duplicates)')
    con.execute('ALTER TABLE accepted DROP COLUMN "@text"')
    return _number_of_rows(con, "duplicates")


def _count(con: duckdb.DuckDBPyConnection, duplicate: int) -> Counts:
    accepted, rejected = _number_of_rows(con, "accepted"), _number_of_rows(con, "rejected")
    reasons = con.execute(
        "SELECT reason, count(*) FROM rejected GROUP BY reason ORDER BY 2 DESC, 1"
    )
    read = accepted + duplicate + rejected
    return Counts(read, accepted, rejected, duplicate, dict(reasons.fetchall()))


def _number_of_rows(con: duckdb.DuckDBPyConnection, table: str) -> int:
    rows: int = one_row(con, f"SELECT count(*) FROM {table}")[0]
    return rows


def _nothing_usable(counts: Counts) -> str:
    if not counts.read:
        return "The log holds no row below its header. Accepted: at least one event."
    reasons = ", ".join(f"{reason}: {rows}" for reason, rows in counts.reasons.items())
    return (
        f"None of the {counts.read} rows can be used ({reasons}). Accepted times: ISO 8601, "
        "YYYYMMDD, 31/12/2019, 12/31/2019, 31.12.2019, Oct 1, 2019, 2019年10月1日, with or without "
        "a clock, and seconds to nanoseconds since 1970; smaller numbers where `time.counts` says "
        "what they count. Check the mapping."
    )
