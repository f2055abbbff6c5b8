"""Text that DuckDB reads by itself is read as with the care of `core.logs.lines`."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.logs import regular
from core.logs.engine import connect, scratch_folder
from core.logs.reader import open_log

CELL = st.sampled_from(
    ["u1", "", " ", "NULL", " x ", '""', "nan", "12", "é", "a b", '"q"', '"a,b"']
)
LINE = st.lists(CELL, min_size=2, max_size=6).map(",".join)


def rows(path: Path) -> tuple[list[dict[str, Any]], bool]:
    """Return all rows of a log, and whether DuckDB read it by itself."""
    with scratch_folder() as scratch, connect(scratch) as con:
        open_log(con, path, scratch)
        found = con.execute('FROM (SELECT * EXCLUDE ("@text") FROM source) ORDER BY "@row"')
        names = [column[0] for column in found.description]
        table = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        tables = {name for (name,) in con.execute("SHOW TABLES").fetchall()}
        places = ("@row", "@line", "@file", "@refused")
        kept = [{name: row[name] for name in (places if row["@refused"] else row)} for row in table]
        return kept, "misfits_0" in tables


@settings(max_examples=30, deadline=None)
@given(lines=st.lists(LINE, min_size=1, max_size=8))
@example(lines=["u1,i1,1,,", "u2,i2,2, ", 'u3,i3,3,""', "u4,i4,4,,x"])
def test_both_ways_of_reading_agree(tmp_path_factory: Any, lines: list[str]) -> None:
    folder = tmp_path_factory.mktemp("both")
    text = "\n".join(["user,item,price", "u0,i0,1", *lines]) + "\n"
    (folder / "log.csv").write_text(text, encoding="utf-8")
    (folder / "wide.csv").write_text(text, encoding="utf-16")
    assert rows(folder / "log.csv")[0] == rows(folder / "wide.csv")[0]


def test_short_and_long_lines_keep_their_number_and_text(write: Any) -> None:
    path = write("user,item\nu1,a\nu2\nu3,b\nu4,c,d\nu5,e\n")
    with scratch_folder() as scratch, connect(scratch) as con:
        open_log(con, path, scratch)
        assert con.execute("SELECT place FROM misfits_0").fetchall() == [(2,), (4,)]
        found = con.execute(
            'SELECT "@row", "@line", "@text", "@refused", "user" FROM source ORDER BY "@row"'
        ).fetchall()
    assert found == [
        (1, 2, "u1,a", None, "u1"),
        (2, 3, "u2", "1 fields instead of 2", None),
        (3, 4, "u3,b", None, "u3"),
        (4, 5, "u4,c,d", "3 fields instead of 2", None),
        (5, 6, "u5,e", None, "u5"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        'user,item\nu1,"two\nlines"\nu2,b\n',
        "user,item\nu1,a\n\nu2,b\n",
        'user,item\nu1,"a"b\nu2,b\n',
        'user,item\nu1,"open\nu2,b\n',
    ],
)
def test_text_that_needs_care_is_not_left_to_duckdb(write: Any, text: str) -> None:
    assert not rows(write(text))[1]


def test_lines_of_several_files_are_counted_in_each(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item\nu1,a\nu2\n")
    (tmp_path / "b.csv").write_text("user,item\nu3\nu4,b\n")
    found, _ = rows(tmp_path)
    places = [(row["@row"], row["@file"], row["@line"], row.get("user")) for row in found]
    assert places == [
        (1, "a.csv", 2, "u1"),
        (2, "a.csv", 3, None),
        (3, "b.csv", 2, None),
        (4, "b.csv", 3, "u4"),
    ]


def test_a_name_that_reads_like_a_pattern_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "log[1]*.csv").write_text("user,item\nu1,a\n")
    (tmp_path / "log1x.csv").write_text("user,item\nu2,b\n")
    found, by_itself = rows(tmp_path / "log[1]*.csv")
    assert [row["user"] for row in found] == ["u1"]
    assert by_itself


def test_a_large_file_is_read_in_pieces_and_nothing_changes(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"u{number % 7},{'x' * (number % 40)}" for number in range(5000)]
    lines[3000] = "u1,a,b"
    path = write("\n".join(["user,item", *lines]))
    whole, _ = rows(path)
    monkeypatch.setattr(regular, "_PIECE", 1 << 10)
    monkeypatch.setattr(regular, "_CHUNK", 1 << 8)
    with scratch_folder() as scratch:
        pieces = regular._take_census([path], scratch, True).pieces
        assert len(pieces) > 1
        assert b"".join(piece.path.read_bytes() for piece in pieces) == path.read_bytes()
    in_pieces, by_itself = rows(path)
    assert by_itself
    assert in_pieces == whole
    assert [row["@row"] for row in in_pieces] == list(range(1, 5001))
