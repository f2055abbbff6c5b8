"""Write the rows of a sheet as JSON lines: `python workbook.py FILE TARGET MEMORY COLUMNS [SHEET]`.

A program of its own, because a hostile workbook (two cells at opposite corners of a sheet ask for
terabytes) ends the process that opens it. It prints the name of the sheet, or why there is none.
"""

import json
import resource
import sys
from datetime import date, datetime, time, timedelta
from pathlib import Path

from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum

MOST_SECONDS = 900  # of the processor
Cell = int | float | str | bool | time | date | datetime | timedelta


def text_of(cell: Cell) -> str:
    """Return a cell as a text log would have it."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def find_sheet(workbook: CalamineWorkbook, name: str | None) -> CalamineSheet:
    """Return the sheet of this name, or the first that has rows."""
    tables = [s.name for s in workbook.sheets_metadata if s.typ == SheetTypeEnum.WorkSheet]
    if name is not None and name not in tables:
        sys.exit(f"it has no sheet '{name}'; accepted: {', '.join(tables)}")
    for table in tables if name is None else [name]:
        sheet = workbook.get_sheet_by_name(table)
        if sheet.height:
            return sheet
    sys.exit("no sheet has a row")


def write_rows(sheet: CalamineSheet, target: Path) -> bool:
    """Write number and cells of every row that is not blank; tell whether there is one."""
    with target.open("w", encoding="utf-8") as staged:
        for number, row in enumerate(sheet.iter_rows(), start=1):
            cells = [text_of(cell) for cell in row]
            if any(cell.strip() for cell in cells):
                staged.write(json.dumps({"line": number, "cells": cells}) + "\n")
        return staged.tell() > 0


def main(file: str, target: str, memory: str, columns: str, name: str | None = None) -> None:
    """Do what the module says."""
    resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with Path(file).open("rb") as stream:  # by path it would go by the name of the file
        sheet = find_sheet(CalamineWorkbook.from_filelike(stream), name)
    if sheet.width > int(columns):
        sys.exit(f"sheet '{sheet.name}' has {sheet.width:,} columns; accepted: up to {columns}")
    if not write_rows(sheet, Path(target)):
        sys.exit(f"sheet '{sheet.name}' is blank")
    sys.stdout.write(sheet.name)


if __name__ == "__main__":
    main(*sys.argv[1:])
