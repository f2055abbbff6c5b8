from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from core.logs.engine import connect, quoted, scratch_folder
from core.logs.mapping import Format
from core.logs.reader import open_log

DATA = Path(__file__).parents[4] / "shared" / "data"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a log and return its path."""

    def write_file(content: str | bytes, name: str = "log.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


@pytest.fixture
def real() -> Callable[[str], Path]:
    """Return the path of a real log, or skip."""

    def find(name: str) -> Path:
        if not (DATA / name).exists():
            pytest.skip(f"the real logs are not at {DATA}")
        return DATA / name

    return find


@dataclass(frozen=True)
class Opened:
    """What the reader made of a log."""

    format: Format
    columns: list[str]
    rows: list[tuple[Any, ...]]  # cells of the rows that are not refused
    refused: list[tuple[int, str, str]]  # line, reason, text of the others
    lines: list[tuple[int, int, str]]  # row, line, text of all


@pytest.fixture
def opened() -> Callable[..., Opened]:
    """Open a log and return all that the reader made of it."""

    def open_and_fetch(path: Path, **options: Any) -> Opened:
        with scratch_folder() as scratch, connect(scratch) as con:
            source = open_log(con, path, scratch, **options)
            cells = ", ".join(map(quoted, source.columns))
            return Opened(
                source.format,
                source.columns,
                _fetch(con, f'SELECT {cells} FROM source WHERE "@refused" IS NULL'),
                _fetch(
                    con,
                    'SELECT "@line", "@refused", "@text" FROM source WHERE "@refused" IS NOT NULL',
                ),
                _fetch(con, 'SELECT "@row", "@line", "@text" FROM source'),
            )

    return open_and_fetch


def _fetch(con: duckdb.DuckDBPyConnection, query: str) -> list[Any]:
    return con.execute(f'{query} ORDER BY "@row"').fetchall()
