"""Whatever lies on the disk is read with every row accounted for, or refused."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.fuzz_reader import FILES, VALID, rows_add_up
from core.logs.engine import connect, scratch_folder
from core.logs.events import create_events
from core.logs.mapping import Format, Mapping
from core.logs.proposal import complete
from core.logs.reader import open_log

NewFolder = pytest.TempPathFactory


@pytest.mark.parametrize("kind", VALID)
def test_the_files_that_are_made_worse_are_good(write: Callable[..., Path], kind: str) -> None:
    rows = {"quoted csv": 2, "gb18030": 2, "access log": 4}
    assert rows_add_up(write(VALID[kind], "log")) == rows.get(kind, 8)


@settings(max_examples=30, deadline=None)
@given(content=FILES)
def test_any_bytes_are_read_without_loss_or_refused(
    tmp_path_factory: NewFolder, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "log"
    path.write_bytes(content)
    rows_add_up(path)


PLAIN = st.text("ab1ü", max_size=3)
QUOTED = st.text('ab1ü,"', max_size=4).map(lambda text: '"' + text.replace('"', '""') + '"')
BROKEN = st.text("ab\n", max_size=4).map(lambda text: f'"{text}"')
ROW = st.tuples(PLAIN | QUOTED, PLAIN | QUOTED | BROKEN, PLAIN | QUOTED).map(list)
DIRTY = ROW | st.lists(PLAIN | QUOTED, min_size=1, max_size=5)
END = st.sampled_from(["\n", "\r\n", "\r"])


def parsed(raw: str) -> list[str]:
    """Return the cells of a row: quotes that nothing needs may be gone from its text."""
    return without_end(next(csv.reader([raw])))


def without_end(cells: list[str]) -> list[str]:
    """Leave out empty cells beyond the columns: spreadsheets end lines with delimiters."""
    while len(cells) > 3 and cells[-1] in ("", '""'):
        cells = cells[:-1]
    return cells


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.tuples(DIRTY, END), max_size=15))
@example(rows=[(["", "", "", ""], "\n"), (["u2", "x", "i2", "", ""], "\n")])
@example(rows=[(["", "", "", ""], "\r"), (["u2", '"x"', "i2", "", ""], "\n")])
def test_rows_of_a_dirty_csv_are_accepted_or_kept_with_line_and_text(
    tmp_path_factory: NewFolder, rows: list[tuple[list[str], str]]
) -> None:
    text, rejected, accepted = "user,note,item\nu1,x,i1\nu1,x,i1\n", [], 2
    for cells, end in rows:
        line = text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
        raw = ",".join(cells)
        number, cells = len(cells), without_end(cells)
        if raw and len(cells) == 3 and cells[0] not in ("", '""'):
            accepted += 1
        elif raw:
            why = "no actor" if len(cells) == 3 else f"{number} fields instead of 3"
            rejected.append((line, why, raw))
        text += raw + end
    path = tmp_path_factory.mktemp("dirty") / "log.csv"
    path.write_bytes(text.encode())
    mapping = Mapping.model_validate({"roles": {"actor": "user"}, "columns": {"note": "text"}})
    with scratch_folder() as scratch, connect(scratch) as con:
        source = open_log(con, path, scratch, format=Format(delimiter=",", header=True))
        counts = create_events(con, complete(con, source, mapping))
        kept = con.execute("SELECT line, reason, raw FROM rejected").fetchall()
    assert [(line, why, parsed(raw)) for line, why, raw in kept] == [
        (line, why, parsed(raw)) for line, why, raw in rejected
    ]
    assert (counts.read, counts.accepted) == (accepted + len(rejected), accepted)
