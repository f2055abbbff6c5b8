"""Excel workbooks as `source`: the first sheet that has rows, or the one the mapping names."""

import json
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import duckdb

from core.errors import BadInput
from core.logs.columns import MOST_COLUMNS, check_same_columns, select_cells, unique_names
from core.logs.engine import file_literal, literal
from core.logs.mapping import Format
from core.logs.sniffing import complete_header

_LOOK = 200  # rows
_LONGEST_ROW = 1 << 28  # bytes as JSON; a cell holds at most 32,767 characters


def open_excel(
    con: duckdb.DuckDBPyConnection, files: list[Path], scratch: Path, given: Format | None
) -> tuple[Format, list[str]]:
    """Create `source` from workbooks; return how they are written, and the columns.

    Raises
    ------
    BadInput
        If a workbook cannot be read or has no such sheet, or their columns differ.
    """
    staged = [scratch / f"{number}.rows" for number in range(len(files))]
    sheet = None if given is None else given.sheet
    sheets = [_stage_rows(file, rows, sheet) for file, rows in zip(files, staged, strict=True)]
    looks = [_first_rows(rows) for rows in staged]
    said = {"header", "skip"}
    known = {} if given is None else given.model_dump(exclude_unset=True, include=said)
    complete_header(known, looks[0])
    layout = Format(kind="excel", sheet=sheets[0], **known)
    firsts = [rows[layout.skip] for rows in looks if len(rows) > layout.skip]
    if layout.header:
        check_same_columns(firsts)
    columns = unique_names(firsts[0] if layout.header else [""] * len(firsts[0]))
    _load_rows(con, [file.name for file in files], staged, skip=layout.skip + layout.header)
    _create_view(con, columns)
    return layout, columns


def _stage_rows(file: Path, target: Path, sheet: str | None) -> str:
    """Write the rows of a workbook's sheet as JSON lines; return the name of the sheet."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    order = [file.resolve(), target, memory, MOST_COLUMNS, *([] if sheet is None else [sheet])]
    # -P: the modules beside the program must not stand in for the standard library's.
    done = subprocess.run(
        [sys.executable, "-P", str(Path(__file__).with_name("workbook.py")), *map(str, order)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.strip().splitlines() or [""]
    why = said[-1] if done.returncode > 0 else "it asks for more memory or time than there is"
    raise BadInput(
        f"'{file.name}' cannot be read as an Excel workbook: {why}. Accepted: .xlsx with one row "
        "per event and a header; or save the sheet as CSV."
    )


def _first_rows(staged: Path) -> list[list[str]]:
    with staged.open(encoding="utf-8") as stream:
        return [json.loads(line)["cells"] for line in islice(stream, _LOOK)]


def _load_rows(
    con: duckdb.DuckDBPyConnection, names: list[str], staged: list[Path], *, skip: int
) -> None:
    con.execute(
        """CREATE TABLE lines
        ("@row" BIGINT, "@file" VARCHAR, "@line" BIGINT, cells VARCHAR[])"""
    )
    for name, file in zip(names, staged, strict=True):
        con.execute(
            f"""INSERT INTO lines
            SELECT (SELECT count(*) FROM lines) + row_number() OVER (ORDER BY line) - {skip},
                {literal(name) if len(staged) > 1 else "NULL"}, line, cells
            FROM read_json({file_literal(file)}, format = 'newline_delimited',
                columns = {{'line': 'BIGINT', 'cells': 'VARCHAR[]'}},
                maximum_object_size = {_LONGEST_ROW})
            QUALIFY row_number() OVER (ORDER BY line) > {skip}"""
        )


def _create_view(con: duckdb.DuckDBPyConnection, columns: list[str]) -> None:
    con.execute(
        f"""CREATE VIEW source AS
        SELECT "@row", "@file", "@line", "@text",
            CASE WHEN width <> {len(columns)}
                 THEN width || ' fields instead of {len(columns)}' END AS "@refused",
            {select_cells(columns)}
        FROM (SELECT "@row", "@file", "@line", len(cells) AS width,
                array_to_string(cells, chr(9)) AS "@text",
                list_transform(cells, lambda x: value_of(x)) AS cells FROM lines)"""
    )
