"""Open a log of any accepted kind as one DuckDB relation.

The relation `source` has `@row` (1-based data row), `@line` (in the file), `@file` (its name, where
there are several), `@text` (the row as written), `@refused` (why it cannot be used, or null) and
one VARCHAR column per source column.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from core.errors import BadInput
from core.logs import regular
from core.logs.engine import literal, quoted
from core.logs.lines import (
    BREAK,
    DELIMITER,
    PART,
    cut_short,
    head_of,
    stage_lines,
    stage_records,
)
from core.logs.mapping import Format, tidy
from core.logs.sniffing import guess_encoding, guess_layout, split_fields
from core.logs.sources import ACCEPTED, find_files, is_parquet, unpack

_UTF8 = ("utf-8", "utf-8-sig", "ascii")
_LONGEST_LINE = 1 << 26  # bytes


@dataclass(frozen=True)
class Source:
    """A log that is open in DuckDB as the relation `source`."""

    format: Format
    columns: list[str]  # as the mapping names them


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
    plain = [
        part
        for file in find_files(path)
        for part in unpack(file, scratch, None if limit is None else 4 * limit)
    ]
    if is_parquet(plain[0]):
        columns = _open_parquet(con, plain)
        return Source(Format(kind="parquet"), columns)
    if format is not None and format.kind == "parquet":
        raise BadInput(f"'{path.name}' is not Parquet, though the mapping says so. {ACCEPTED}.")
    return _open_text(con, plain, scratch, format, limit)


def _open_parquet(con: duckdb.DuckDBPyConnection, files: list[Path]) -> list[str]:
    names = ", ".join(literal(str(file)) for file in files)
    reading = f"read_parquet([{names}], union_by_name = true)"
    try:
        described = con.execute(f"DESCRIBE FROM {reading}").fetchall()
    except duckdb.Error as error:
        raise BadInput(f"The Parquet file cannot be read ({error}). It may be cut off.") from error
    raw = [row[0] for row in described]
    columns = _unique(raw)
    cells = ", ".join(
        f"{_as_text(name, kind)} AS {quoted(column)}"
        for column, (name, kind, *_) in zip(columns, described, strict=True)
    )
    together = ", ".join(f"{quoted(name)} := {quoted(name)}" for name in raw)
    con.execute(
        f"""CREATE VIEW source AS SELECT row_number() OVER () AS "@row",
            file_row_number + 1 AS "@line",
            {"parse_filename(filename)" if len(files) > 1 else "NULL"} AS "@file",
            CAST(to_json(struct_pack({together})) AS VARCHAR) AS "@text",
            CAST(NULL AS VARCHAR) AS "@refused", {cells}
        FROM read_parquet([{names}], union_by_name = true, filename = true,
                          file_row_number = true)"""
    )
    return columns


def _as_text(name: str, kind: str) -> str:
    column = quoted(name)
    if kind in ("DOUBLE", "FLOAT"):  # identifiers that pandas turned into floats
        whole = f"CAST(CAST({column} AS BIGINT) AS VARCHAR)"
        return (
            f"CASE WHEN {column} = floor({column}) AND abs({column}) < 1e15 THEN {whole} "
            f"ELSE value_of(CAST({column} AS VARCHAR)) END"
        )
    return f"value_of(CAST({column} AS VARCHAR))"


def _open_text(
    con: duckdb.DuckDBPyConnection,
    plain: list[Path],
    scratch: Path,
    format: Format | None,
    limit: int | None,
) -> Source:
    given = format is not None and "encoding" in format.model_fields_set
    encoding = format.encoding if format is not None and given else guess_encoding(plain[0])
    with _decodable(encoding):
        firsts = [head_of(file, encoding) for file in plain]
        layout = guess_layout(firsts[0], encoding, format)
        if limit is not None:
            plain = [cut_short(file, scratch, encoding, limit) for file in plain]
        if layout.kind == "csv":
            return Source(layout, _open_delimited(con, plain, scratch, layout, firsts))
        staged, _ = _stage(plain, scratch, encoding)
    _load_lines(con, staged, skip=0)
    return Source(layout, _create_view_of_json(con))


@contextmanager
def _decodable(encoding: str) -> Iterator[None]:
    try:
        yield
    except (LookupError, UnicodeError) as error:
        raise BadInput(
            f"The file cannot be read as {encoding}: {error}. Accepted: the name of an "
            "encoding, such as utf-8, latin-1 or utf-16."
        ) from error


def _open_delimited(
    con: duckdb.DuckDBPyConnection,
    plain: list[Path],
    scratch: Path,
    layout: Format,
    heads: list[str],
) -> list[str]:
    assert layout.delimiter is not None
    firsts = [split_fields(head, layout.delimiter)[0] for head in heads]
    if layout.header and (other := [first for first in firsts if first != firsts[0]]):
        raise BadInput(
            f"The files have different columns: {', '.join(firsts[0])} and {', '.join(other[0])}. "
            "Accepted: files with the same header."
        )
    columns = _unique(
        firsts[0] if layout.header else [f"column_{n}" for n in range(1, len(firsts[0]) + 1)]
    )
    if not (layout.encoding in _UTF8 and layout.delimiter != " " and regular.load(
        con, plain, columns, delimiter=layout.delimiter, header=layout.header
    )):  # fmt: skip
        _load_with_care(con, plain, scratch, layout, columns)
    return columns


def _load_with_care(
    con: duckdb.DuckDBPyConnection,
    plain: list[Path],
    scratch: Path,
    layout: Format,
    columns: list[str],
) -> None:
    assert layout.delimiter is not None
    staged, has_quotes = _stage(plain, scratch, layout.encoding)
    as_records = has_quotes and layout.delimiter != " "
    if as_records:
        for file in staged:
            stage_records(file, file.with_suffix(".records"), layout.delimiter)
        staged = [file.with_suffix(".records") for file in staged]
    _load_lines(con, staged, skip=1 if layout.header else 0)
    _create_view_of_fields(con, columns, layout.delimiter, as_records)


def _stage(plain: list[Path], scratch: Path, encoding: str) -> tuple[list[Path], bool]:
    """Write the files as lines of UTF-8; tell whether any holds a quote."""
    staged = [scratch / f"{number}-{file.name}.lines" for number, file in enumerate(plain)]
    has_quotes = [
        stage_lines(file, target, encoding) for file, target in zip(plain, staged, strict=True)
    ]
    return staged, any(has_quotes)


def _load_lines(con: duckdb.DuckDBPyConnection, staged: list[Path], *, skip: int) -> None:
    con.execute(
        """CREATE TABLE lines
        ("@row" BIGINT, "@file" VARCHAR, "@line" BIGINT, "@text" VARCHAR)"""
    )
    for file in staged:
        name = literal(file.stem.split("-", 1)[1]) if len(staged) > 1 else "NULL"
        con.execute(
            f"""INSERT INTO lines
            SELECT (SELECT count(*) FROM lines) + row_number() OVER () - {skip},
                {name}, "@line", "@text"
            FROM (SELECT row_number() OVER () AS "@line", substr("text", 2) AS "@text"
                FROM read_csv({literal(str(file))}, columns = {{'text': 'VARCHAR'}},
                    header = false, auto_detect = false, delim = '{DELIMITER}', quote = '',
                    escape = '', comment = '', max_line_size = {_LONGEST_LINE}))
            WHERE trim("@text") <> '' QUALIFY row_number() OVER () > {skip}"""
        )


def _create_view_of_fields(
    con: duckdb.DuckDBPyConnection, columns: list[str], delimiter: str, as_records: bool
) -> None:
    if as_records:
        parts = f"""SELECT "@row", "@file", CAST(parts[1] AS BIGINT) AS "@line",
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
            CASE WHEN len(fields) <> {len(columns)}
                 THEN len(fields) || ' fields instead of {len(columns)}' END AS "@refused",
            {_cells(columns)}
        FROM (SELECT *, {cells} AS cells FROM ({parts}))"""
    )


def _cells(columns: list[str]) -> str:
    """Return each column's cell of the list `cells`."""
    return ", ".join(
        f"cells[{number}] AS {quoted(column)}" for number, column in enumerate(columns, start=1)
    )


def _create_view_of_json(con: duckdb.DuckDBPyConnection) -> list[str]:
    keys = con.execute(
        """SELECT keys[place] AS key FROM (
            SELECT *, unnest(range(1, len(keys) + 1)) AS place FROM (
                SELECT json_keys("@text") AS keys, min("@row") AS first FROM lines
                WHERE json_valid("@text") AND json_type("@text") = 'OBJECT' GROUP BY keys))
        GROUP BY key ORDER BY min((first, place))"""
    ).fetchall()
    if not keys:
        raise BadInput("No line is a JSON object. Accepted: one JSON object per line.")
    raw = [key for (key,) in keys]
    columns = _unique(raw)
    paths = ", ".join(literal("/" + key.replace("~", "~0").replace("/", "~1")) for key in raw)
    con.execute(
        f"""CREATE VIEW source AS
        SELECT "@row", "@file", "@line", "@text", "@refused", {_cells(columns)} FROM (
            SELECT *, CASE WHEN "@refused" IS NULL
                THEN list_transform(json_extract_string("@text", [{paths}]),
                                    lambda x: value_of(x)) END AS cells
            FROM (SELECT *, CASE
                    WHEN NOT json_valid("@text") THEN 'not valid JSON'
                    WHEN json_type("@text") <> 'OBJECT' THEN 'not a JSON object' END AS "@refused"
                FROM lines))"""
    )
    return columns


def _unique(raw: list[str]) -> list[str]:
    columns: list[str] = []
    for number, name in enumerate(raw, start=1):
        column = base = tidy(name) or f"column_{number}"
        again = 1
        while column.lower() in {known.lower() for known in columns}:
            again += 1
            column = f"{base}_{again}"
        columns.append(column)
    return columns
