"""Delimited text of one record a line, which DuckDB reads by itself and in parallel.

`load` counts the lines first: where DuckDB finds other than that many records, or meets anything
but a wrong number of fields, the text needs the care of `core.logs.lines`.

Only one thread at a time can number the rows of a file. So large files are cut into pieces, which
are read side by side.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import duckdb
import numpy as np

from core.logs.engine import file_literal, literal, one_row, quoted, threads
from core.logs.lines import LONGEST_LINE
from core.logs.mapping import Format

_CHUNK = 1 << 18  # bytes; what is looked at more than once should stay in the processor's cache
_MOST_COLUMNS = 200  # an expression for each is planned in the square of their number
_PIECE = 1 << 25  # bytes; a smaller file is not cut
_FIELD_COUNT = ("MISSING COLUMNS", "TOO MANY COLUMNS")
_ODD = (b"\0", b"\x01", b"\x02", b"\x1e", b"\x1f")


@dataclass
class _Piece:
    """A file of the log, or a part of one: whole lines."""

    path: Path
    number: int
    file: str | None  # its name, where there are several
    rows_before: int  # of the log, above it
    lines_before: int  # of the file, above it
    has_header: bool
    lines: int = 0

    @property
    def rows(self) -> int:
        """Rows below the header."""
        return self.lines - self.has_header


@dataclass
class _Census:
    """What the bytes of all files hold."""

    pieces: list[_Piece] = field(default_factory=list)
    has_quotes: bool = False
    is_odd: bool = False  # NUL, a control byte that we reserve, a return without a line end


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
    con: duckdb.DuckDBPyConnection,
    files: Sequence[Path],
    scratch: Path,
    columns: Sequence[str],
    layout: Format,
) -> bool:
    """Create the view `source` of UTF-8 text; False, and nothing left behind, where care is due."""
    if len(columns) > _MOST_COLUMNS:
        return False
    census = _take_census(files, scratch, layout.header)
    if census.is_odd:
        return False
    of_names = {f"column{number}": column for number, column in enumerate(columns)}
    readers = [_reader(piece, of_names, layout, census.has_quotes) for piece in census.pieces]
    try:
        regular = all(map(partial(_fits, con, of_names), census.pieces, readers))
    except duckdb.OutOfMemoryException:
        raise  # more care would need more of it
    except duckdb.Error:
        regular = False
    if not regular:
        for piece in census.pieces:
            con.execute(f"DROP TABLE IF EXISTS misfits_{piece.number}")
        return False
    assert layout.delimiter is not None
    branches = [
        branch
        for piece, reader in zip(census.pieces, readers, strict=True)
        for branch in _branches(con, piece, reader, of_names, layout.delimiter)
    ]
    con.execute(f"CREATE VIEW source AS {' UNION ALL BY NAME '.join(branches)}")
    return True


def _take_census(files: Sequence[Path], scratch: Path, header: bool) -> _Census:
    """Look at all bytes once, and cut large files into pieces on the way."""
    most = max(_PIECE, sum(file.stat().st_size for file in files) // threads())
    census = _Census()
    rows = 0
    for file in files:
        lines = 0
        for path in _pieces(file, scratch, most):
            number, name = len(census.pieces), file.name if len(files) > 1 else None
            piece = _Piece(path, number, name, rows, lines, header and lines == 0)
            _count(piece, census)
            rows, lines = rows + piece.rows, lines + piece.lines
            census.pieces.append(piece)
    return census


def _pieces(file: Path, scratch: Path, most: int) -> Iterator[Path]:
    """Give files of whole lines, each of about `most` bytes, that together hold `file`."""
    size = file.stat().st_size
    if size <= most:
        yield file
        return
    folder = Path(tempfile.mkdtemp(dir=scratch))
    with file.open("rb") as stream:
        while (start := stream.tell()) < size:
            path = folder / f"{start}"
            with path.open("wb") as target:
                while stream.tell() - start < most and (chunk := stream.read(_CHUNK)):
                    target.write(chunk)
                target.write(stream.readline())
            yield path


def _count(piece: _Piece, census: _Census) -> None:
    returns = 0
    last = b"\n"
    with piece.path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            array = np.frombuffer(chunk, dtype=np.uint8)
            ends = int(np.count_nonzero(array == ord("\n")))
            if np.count_nonzero(array < ord(" ")) > ends:
                returns += chunk.count(b"\r")
                census.is_odd |= any(byte in chunk for byte in _ODD)
            piece.lines += ends
            census.has_quotes |= b'"' in chunk
            last = chunk[-1:]
    piece.lines += last != b"\n"
    census.is_odd |= returns not in (0, piece.lines)


def _reader(piece: _Piece, names: Iterable[str], layout: Format, has_quotes: bool) -> str:
    """Return SQL that reads a piece, but for what becomes of lines that do not fit."""
    assert layout.delimiter is not None
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    quote = "'\"'" if has_quotes else "''"
    return f"""read_csv({file_literal(piece.path)}, columns = {{{columns}}}, auto_detect = false,
        header = {piece.has_header}, delim = {literal(layout.delimiter)}, quote = {quote},
        escape = {quote}, comment = '',"""


def _fits(con: duckdb.DuckDBPyConnection, names: Iterable[str], piece: _Piece, reader: str) -> bool:
    """Create `misfits_N`, the lines without their number of fields; tell whether all are read."""
    # What is wrong within a column only shows when the column is looked at.
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE fitting AS
        SELECT count(*) AS rows, {", ".join(f"count({name})" for name in names)}
        FROM {reader} store_rejects = true, rejects_limit = 0)"""
    )
    con.execute(
        f"""CREATE TABLE misfits_{piece.number} AS
        SELECT CAST(line AS BIGINT) - {int(piece.has_header)} AS place, first(csv_line) AS text,
            first(error_type) AS error FROM reject_errors GROUP BY line"""
    )
    con.execute("DROP TABLE reject_errors; DROP TABLE reject_scans")
    counted = one_row(
        con,
        f"""SELECT (SELECT rows FROM fitting) + count(*),
            count(*) FILTER (error NOT IN {_FIELD_COUNT} OR contains(text, '"'))
        FROM misfits_{piece.number}""",
    )
    return counted == (piece.rows, 0)


def _branches(
    con: duckdb.DuckDBPyConnection,
    piece: _Piece,
    reader: str,
    columns: dict[str, str],
    delimiter: str,
) -> Iterator[str]:
    """Give the SELECTs of the rows of a piece."""
    places = f'''"@place" + {piece.rows_before} AS "@row",
        "@place" + {piece.lines_before + piece.has_header} AS "@line",
        {"NULL" if piece.file is None else literal(piece.file)} AS "@file"'''
    cells = ", ".join(f"value_of({name}) AS {quoted(column)}" for name, column in columns.items())
    number, rows = "row_number() OVER ()", f"{reader} ignore_errors = true)"
    misfits = f"misfits_{piece.number}"
    if con.execute(f"FROM {misfits} LIMIT 1").fetchone():
        con.execute(
            f"""CREATE TABLE places_{piece.number} AS SELECT range AS place
            FROM range(1, {piece.rows + 1}) WHERE place NOT IN (SELECT place FROM {misfits})"""
        )
        number, rows = "place", f"places_{piece.number} POSITIONAL JOIN {rows}"
        refused = (
            f"len(string_split(text, {literal(delimiter)})) || ' fields instead of {len(columns)}'"
        )
        yield f"""SELECT {places}, text AS "@text", {refused} AS "@refused"
            FROM (SELECT place AS "@place", text FROM {misfits})"""
    yield f"""SELECT {places}, * EXCLUDE ("@place") FROM (
        SELECT {number} AS "@place", {_as_written(columns, delimiter)} AS "@text",
            CAST(NULL AS VARCHAR) AS "@refused", {cells} FROM {rows})"""


def _as_written(names: Iterable[str], delimiter: str) -> str:
    """Return SQL of the line that the cells were read from."""
    cells = [
        f"""CASE WHEN contains({name}, {literal(delimiter)}) OR contains({name}, '"')
            THEN '"' || replace({name}, '"', '""') || '"' ELSE coalesce({name}, '') END"""
        for name in names
    ]
    return f"concat_ws({literal(delimiter)}, {', '.join(cells)})"
