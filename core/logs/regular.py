"""Delimited text of one record a line, which DuckDB reads by itself and in parallel.

`load` counts the lines first: where DuckDB finds other than that many records, or meets anything
but a wrong number of fields, the text needs the care of `core.logs.lines`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import duckdb
import numpy as np

from core.logs.engine import file_literal, literal, quoted
from core.logs.lines import LONGEST_LINE
from core.logs.mapping import Format

_CHUNK = 1 << 24
_MOST_COLUMNS = 200  # an expression for each is planned in the square of their number
_FIELD_COUNT = ("MISSING COLUMNS", "TOO MANY COLUMNS")
_LINE_END, _RETURN = ord("\n"), ord("\r")


@dataclass(frozen=True)
class _Census:
    """What the bytes of a file hold."""

    lines: int
    has_quotes: bool
    is_odd: bool  # NUL, a control byte that we reserve, a return without a line end


def cut_short(plain: Path, scratch: Path, limit: int) -> Path | None:
    """Return a file of the first whole lines of `plain`, about `limit` bytes.

    None where a line that is too long would be most of it: `core.logs.lines` looks past that one.
    """
    if plain.stat().st_size <= limit:
        return plain
    with plain.open("rb") as stream:
        head = stream.read(limit)
    end = head.rfind(b"\n") + 1
    if limit - end > LONGEST_LINE:
        return None
    folder = scratch / f"{len(list(scratch.iterdir()))}"
    folder.mkdir()
    short = folder / plain.name
    short.write_bytes(head[:end] or head)
    return short


def load(
    con: duckdb.DuckDBPyConnection, files: Sequence[Path], columns: Sequence[str], layout: Format
) -> bool:
    """Create the view `source` of UTF-8 text; False, and nothing left behind, where care is due."""
    if len(columns) > _MOST_COLUMNS:
        return False
    assert layout.delimiter is not None
    delimiter, header = layout.delimiter, layout.header
    found = [_census(file) for file in files]
    if any(census.is_odd for census in found):
        return False
    has_quotes = any(census.has_quotes for census in found)
    rows = [census.lines - header for census in found]
    names = [f"column{number}" for number in range(len(columns))]
    try:
        _read(con, files, names, delimiter, header, has_quotes)
        regular = _fits(con, sum(rows), has_quotes)
    except duckdb.OutOfMemoryException:
        raise  # more care would need more of it
    except duckdb.Error:
        regular = False
    con.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    if not regular:
        con.execute("DROP TABLE IF EXISTS raw; DROP TABLE IF EXISTS short")
        return False
    _create_view(con, files, rows, dict(zip(names, columns, strict=True)), delimiter, header)
    return True


def _census(file: Path) -> _Census:
    lines, returns = 0, 0
    quotes = odd = False
    last = b""
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            array = np.frombuffer(chunk, dtype=np.uint8)
            lines += int(np.count_nonzero(array == _LINE_END))
            returns += int(np.count_nonzero(array == _RETURN))
            quotes |= b'"' in chunk
            odd |= any(byte in chunk for byte in (b"\0", b"\x01", b"\x02", b"\x1e", b"\x1f"))
            last = chunk[-1:]
    return _Census(lines + (last != b"\n"), quotes, odd or returns not in (0, lines))


def _read(
    con: duckdb.DuckDBPyConnection,
    files: Sequence[Path],
    names: Sequence[str],
    delimiter: str,
    header: bool,
    has_quotes: bool,
) -> None:
    paths = ", ".join(file_literal(file) for file in files)
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    quote = "'\"'" if has_quotes else "''"
    con.execute(
        f"""CREATE TABLE raw AS FROM read_csv([{paths}], columns = {{{columns}}},
            auto_detect = false, header = {header}, delim = {literal(delimiter)}, quote = {quote},
            escape = {quote}, comment = '', store_rejects = true, rejects_limit = 0)"""
    )


def _fits(con: duckdb.DuckDBPyConnection, rows: int, has_quotes: bool) -> bool:
    """Create `short`, the lines without their number of fields; tell whether every line counts."""
    con.execute(
        """CREATE TABLE short AS
        SELECT file_id, line, first(csv_line) AS text, first(error_type) AS error
        FROM reject_errors GROUP BY file_id, line"""
    )
    row = con.execute(
        f"""SELECT (SELECT count(*) FROM raw) + count(*),
            count(*) FILTER (error NOT IN {_FIELD_COUNT} OR contains(text, '"')) FROM short"""
    ).fetchone()
    return row == (rows, 0)


def _create_view(
    con: duckdb.DuckDBPyConnection,
    files: Sequence[Path],
    rows: Sequence[int],
    columns: dict[str, str],
    delimiter: str,
    header: bool,
) -> None:
    starts = [0, *accumulate(rows)][:-1]
    row = f"{starts}[CAST(file_id AS BIGINT) + 1] + CAST(line AS BIGINT) - {int(header)}"
    number, rows_of = "rowid + 1", "raw"
    if con.execute("FROM short LIMIT 1").fetchone():
        con.execute(
            f"""CREATE TABLE numbers AS SELECT range AS number FROM range(1, {sum(rows) + 1})
            WHERE number NOT IN (SELECT {row} FROM short)"""
        )
        number, rows_of = "number", "numbers POSITIONAL JOIN raw"
    several = len(files) > 1
    of_file = f'len(list_filter({starts}, lambda x: x < "@row"))'
    names = ", ".join(literal(file.name) for file in files)
    name = f"[{names}][{of_file}]" if several else "NULL"
    line = f'"@row" + {int(header)}' + (f" - {starts}[{of_file}]" if several else "")
    cells = ", ".join(f"value_of({name}) AS {quoted(column)}" for name, column in columns.items())
    refused = (
        f"len(string_split(text, {literal(delimiter)})) || ' fields instead of {len(columns)}'"
    )
    con.execute(
        f"""CREATE VIEW source AS SELECT *, {line} AS "@line", {name} AS "@file" FROM (
            SELECT {number} AS "@row", {_as_written(columns, delimiter)} AS "@text",
                CAST(NULL AS VARCHAR) AS "@refused", {cells} FROM {rows_of}
            UNION ALL BY NAME
            SELECT {row} AS "@row", text AS "@text", {refused} AS "@refused" FROM short)"""
    )


def _as_written(names: Iterable[str], delimiter: str) -> str:
    """Return SQL of the line that the cells were read from."""
    cells = [
        f"""CASE WHEN contains({name}, {literal(delimiter)}) OR contains({name}, '"')
            THEN '"' || replace({name}, '"', '""') || '"' ELSE coalesce({name}, '') END"""
        for name in names
    ]
    return f"concat_ws({literal(delimiter)}, {', '.join(cells)})"
