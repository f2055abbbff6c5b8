"""Open a log of any accepted kind as one DuckDB relation.

The relation `source` has `@row` (1-based data row), `@line` (in the file), `@file` (its name, where
there are several), `@text` (the row as written, maybe without quotes that nothing needs),
`@refused` (why it cannot be used, or null) and one VARCHAR column per source column.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from core.errors import BadInput
from core.logs import regular
from core.logs.access_log import create_view_of_accesses
from core.logs.columns import check_same_columns, select_cells, unique_names
from core.logs.encodings import encoding_of
from core.logs.engine import file_literal, literal
from core.logs.excel import open_excel
from core.logs.fixed_width import create_view_of_fixed, cut, find_gaps
from core.logs.headers import usual_width
from core.logs.json_columns import create_view_of_json, load_elements
from core.logs.json_records import stage_elements
from core.logs.lines import (
    BREAK,
    DELIMITER,
    LONGEST_LINE,
    MARK,
    PART,
    stage_lines,
    stage_records,
)
from core.logs.mapping import Format
from core.logs.parquet import open_parquet
from core.logs.sniffing import HEAD, first_lines, guess_kind, guess_layout, read_head, split_fields
from core.logs.sources import ACCEPTED, container_of, find_files, reading
from core.logs.unpacking import unpack

_UTF8 = {"utf-8", "utf-8-sig", "ascii"}
_LONGEST_STAGED = 1 << 26  # bytes; a record holds its text twice, of up to 4 bytes a character
_TOO_LONG = f"a line of more than {LONGEST_LINE:,} characters, of which the beginning is kept"


@dataclass(frozen=True)
class Source:
    """A log that is open in DuckDB as the relation `source`."""

    format: Format
    columns: list[str]  # as the mapping names them
    is_whole: bool = True  # nothing was left out because of a limit


def open_log(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    scratch: Path,
    *,
    format: Format | None = None,
    limit: int | None = None,
) -> Source:
    """Create `source` in `con` from a file, folder or glob.

    Parameters
    ----------
    format
        As the mapping says; None to find out.
    limit
        Read about this many characters of each text file only, for a look.

    Raises
    ------
    BadInput
        If there is nothing that can be read as a log.
    """
    with reading(path):
        plain = [
            part
            for file in find_files(path)
            for part in unpack(file, scratch, None if limit is None else 4 * limit)
        ]
        return _open_plain(con, plain, scratch, format, limit)


def _open_plain(
    con: duckdb.DuckDBPyConnection,
    plain: list[Path],
    scratch: Path,
    format: Format | None,
    limit: int | None,
) -> Source:
    containers = [container_of(file) for file in plain]
    _check_same_kind(plain, containers)
    if containers[0] == "parquet":
        return Source(*open_parquet(con, plain, format))
    if containers[0] == "excel":
        return Source(*open_excel(con, plain, scratch, format))
    if format is not None and format.kind in ("parquet", "excel"):
        raise BadInput(
            f"'{plain[0].name}' is not {format.kind.title()}, though the mapping says so. "
            f"{ACCEPTED}."
        )
    return _open_text(con, plain, scratch, format, limit)


def _check_same_kind(plain: list[Path], kinds: Sequence[str]) -> None:
    for file, kind in zip(plain, kinds, strict=True):
        if kind != kinds[0]:
            raise BadInput(
                f"The files are of different kinds: '{plain[0].name}' is {kinds[0]}, "
                f"'{file.name}' is {kind}. Accepted: files of one kind with the same columns."
            )


def _open_text(
    con: duckdb.DuckDBPyConnection,
    plain: list[Path],
    scratch: Path,
    format: Format | None,
    limit: int | None,
) -> Source:
    encodings = [encoding_of(file, format) for file in plain]
    heads = [read_head(file, encoding) for file, encoding in zip(plain, encodings, strict=True)]
    if format is None or "kind" not in format.model_fields_set:
        _check_same_kind(plain, [guess_kind(head) for head in heads])
    layout = guess_layout(heads[0], encodings[0], format)
    is_whole = limit is None or all(file.stat().st_size < limit for file in plain)
    return Source(layout, _open_in(con, plain, scratch, layout, encodings, heads, limit), is_whole)


def _open_in(
    con: duckdb.DuckDBPyConnection,
    plain: list[Path],
    scratch: Path,
    layout: Format,
    encodings: list[str],
    heads: list[str],
    limit: int | None,
) -> list[str]:
    """Open text in a known layout; return its columns."""
    if layout.kind == "json":
        elements = [scratch / f"{number}.elements" for number in range(len(plain))]
        for file, target, encoding in zip(plain, elements, encodings, strict=True):
            stage_elements(file, target, encoding, limit)
        load_elements(con, [file.name for file in plain], elements)
        return create_view_of_json(con, layout.each)
    if layout.kind == "csv" and {*encodings} <= _UTF8:
        columns = _open_regular(con, plain, scratch, layout, heads, limit)
        if columns is not None:
            return columns
    staged = [scratch / f"{number}-{file.name[-60:]}.lines" for number, file in enumerate(plain)]
    has_quotes = False
    for file, target, encoding in zip(plain, staged, encodings, strict=True):
        has_quotes |= stage_lines(file, target, encoding, limit)
    if layout.kind == "csv":
        return _open_delimited(con, staged, layout, has_quotes)
    return _open_lines(con, staged, layout)


def _open_lines(con: duckdb.DuckDBPyConnection, staged: list[Path], layout: Format) -> list[str]:
    """Open text of which each line is a row, without any quoting."""
    if layout.kind == "fixed":
        return _open_fixed(con, staged, layout)
    _load_lines(con, staged, skip=layout.skip)
    if layout.kind == "jsonl":
        return create_view_of_json(con, layout.each)
    return create_view_of_accesses(con, head_of(staged[0]).split("\n"))


def _open_fixed(con: duckdb.DuckDBPyConnection, staged: list[Path], layout: Format) -> list[str]:
    heads = [head_of(file).split("\n")[layout.skip :] for file in staged]
    gaps = find_gaps(heads[0])
    firsts = [cut(lines[0], gaps) for lines in heads if lines]
    if layout.header:
        check_same_columns(firsts)
    columns = unique_names(firsts[0] if layout.header else [""] * (len(gaps) + 1))
    _load_lines(con, staged, skip=layout.skip + layout.header)
    create_view_of_fixed(con, columns, gaps)
    return columns


def _open_regular(
    con: duckdb.DuckDBPyConnection,
    plain: list[Path],
    scratch: Path,
    layout: Format,
    heads: list[str],
    limit: int | None,
) -> list[str] | None:
    """Let DuckDB read the text by itself; None where it needs more care."""
    if layout.delimiter in (None, " ") or len(layout.delimiter) > 1 or layout.skip:
        return None
    columns = _columns_of(heads, layout)
    if limit is not None:
        short = [regular.cut_short(file, scratch, limit) for file in plain]
        plain = [file for file in short if file is not None]
        if len(plain) < len(short):
            return None
    return columns if regular.load(con, plain, scratch, columns, layout) else None


def _columns_of(heads: list[str], layout: Format) -> list[str]:
    """Return the columns of delimited text."""
    assert layout.delimiter is not None
    rows = [split_fields(head, layout.delimiter)[layout.skip :] for head in heads]
    if layout.header:
        firsts = [below[0] for below in rows if below]
        check_same_columns(firsts)
        return unique_names(firsts[0])
    return unique_names([""] * usual_width(rows[0]))


def _open_delimited(
    con: duckdb.DuckDBPyConnection, staged: list[Path], layout: Format, has_quotes: bool
) -> list[str]:
    assert layout.delimiter is not None
    columns = _columns_of([head_of(file) for file in staged], layout)
    as_records = has_quotes and layout.delimiter != " " and len(layout.delimiter) == 1
    if as_records:
        for file in staged:
            stage_records(file, file.with_suffix(".records"), layout.delimiter)
        staged = [file.with_suffix(".records") for file in staged]
    _load_lines(con, staged, skip=layout.skip + layout.header)
    _create_view_of_fields(con, columns, layout.delimiter, as_records)
    return columns


def head_of(staged: Path) -> str:
    """Return the first lines of a staged file, without blank ones."""
    with staged.open(encoding="utf-8", newline="\n") as stream:
        text = stream.read(HEAD)
    return first_lines(text.replace(MARK, ""), is_cut=len(text) == HEAD)


def _load_lines(con: duckdb.DuckDBPyConnection, staged: list[Path], *, skip: int) -> None:
    con.execute(
        """CREATE TABLE lines
        ("@row" BIGINT, "@file" VARCHAR, "@line" BIGINT, "@text" VARCHAR, "@refused" VARCHAR)"""
    )
    for file in staged:
        name = literal(file.stem.split("-", 1)[1]) if len(staged) > 1 else "NULL"
        con.execute(
            f"""INSERT INTO lines
            SELECT (SELECT count(*) FROM lines) + row_number() OVER () - {skip},
                {name}, "@line", rtrim("@text", '{MARK}'),
                CASE WHEN ends_with("@text", '{MARK}') THEN {literal(_TOO_LONG)} END
            FROM (SELECT row_number() OVER () AS "@line", substr("text", 2) AS "@text"
                FROM read_csv({file_literal(file)}, columns = {{'text': 'VARCHAR'}},
                    header = false, auto_detect = false, delim = '{DELIMITER}', quote = '',
                    escape = '', comment = '', max_line_size = {_LONGEST_STAGED}))
            WHERE trim("@text") <> '' QUALIFY row_number() OVER () > {skip}"""
        )


def _create_view_of_fields(
    con: duckdb.DuckDBPyConnection, columns: list[str], delimiter: str, as_records: bool
) -> None:
    if as_records:
        parts = f"""SELECT "@row", "@file", "@refused", CAST(parts[1] AS BIGINT) AS "@line",
                replace(parts[2], '{BREAK}', chr(10)) AS "@text", parts[3:] AS fields
            FROM (SELECT *, string_split("@text", '{PART}') AS parts FROM lines)"""
    elif delimiter == " ":
        parts = r"""SELECT *,
            regexp_split_to_array(trim("@text", E' \t'), '[ \t]+') AS fields FROM lines"""
    else:
        parts = f'SELECT *, string_split("@text", {literal(delimiter)}) AS fields FROM lines'
    cell = f"replace(x, '{BREAK}', chr(10))" if as_records else "x"
    cells = f"list_transform(fields, lambda x: value_of({cell}))"
    con.execute(
        f"""CREATE VIEW source AS
        SELECT "@row", "@file", "@line", "@text",
            coalesce("@refused", CASE WHEN len(fields) < {len(columns)}
                    OR array_to_string(fields[{len(columns) + 1}:], '') <> ''
                THEN len(fields) || ' fields instead of {len(columns)}' END) AS "@refused",
            {select_cells(columns)}
        FROM (SELECT *, {cells} AS cells FROM ({parts}))"""
    )
