import csv
import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadInput
from core.logs.engine import MISSING, connect, scratch_folder
from core.logs.mapping import Format
from core.logs.reader import open_log

ROWS = [("u1", "view", "007"), ("u2", "buy", None)]


def read(path: Path, **options: Any) -> list[tuple[Any, ...]]:
    """Return the source columns of all rows that have the right number of fields."""
    with scratch_folder() as scratch, connect(scratch) as con:
        source = open_log(con, path, scratch, **options)
        cells = ", ".join(f'"{column}"' for column in source.columns)
        return con.execute(
            f'SELECT {cells} FROM source WHERE "@refused" IS NULL ORDER BY "@row"'
        ).fetchall()


def columns(path: Path) -> list[str]:
    with scratch_folder() as scratch, connect(scratch) as con:
        return open_log(con, path, scratch).columns


def format_of(path: Path) -> Format:
    with scratch_folder() as scratch, connect(scratch) as con:
        return open_log(con, path, scratch).format


def lines(path: Path) -> list[tuple[Any, ...]]:
    with scratch_folder() as scratch, connect(scratch) as con:
        open_log(con, path, scratch)
        return con.execute(
            'SELECT "@row", "@line", "@text", "@refused" FROM source ORDER BY "@row"'
        ).fetchall()


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|", " "])
def test_a_delimiter_is_recognised(write: Any, delimiter: str) -> None:
    text = "user,what,item\nu1,view,007\nu2,buy,NULL\n".replace(",", delimiter)
    path = write(text)
    assert columns(path) == ["user", "what", "item"]
    assert read(path) == ROWS


def test_aligned_columns_are_read(write: Any) -> None:
    path = write(" user  what   item\r\n u1    view    007\r\n u2    buy    NULL\r\n")
    assert read(path) == ROWS


def test_json_lines_are_read_and_nested_values_kept_as_text(write: Any) -> None:
    path = write(
        '{"user": "u1", "n": 1.5, "tags": ["a", "b"]}\n{"n": null, "user": "u2", "a/b~c": "x"}\n',
        "log.jsonl",
    )
    assert columns(path) == ["user", "n", "tags", "a/b~c"]
    assert read(path) == [("u1", "1.5", '["a","b"]', None), ("u2", None, None, "x")]


def test_parquet_is_read_and_whole_floats_stay_identifiers(tmp_path: Path) -> None:
    frame = pd.DataFrame({"user": [541312140.0, None], "at": pd.to_datetime(["2020-01-01"] * 2)})
    frame["price"] = [1.5, 2.0]
    frame.to_parquet(tmp_path / "log.parquet")
    assert read(tmp_path / "log.parquet") == [
        ("541312140", "2020-01-01 00:00:00", "1.5"),
        (None, "2020-01-01 00:00:00", "2"),
    ]


@pytest.mark.parametrize("packing", ["gzip", "zstd", "zip"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_packed_log_is_read(tmp_path: Path, packing: str, kind: str) -> None:
    frame = pd.DataFrame({"user": ["u1", "u2"], "what": ["view", "buy"], "item": ["007", None]})
    plain = frame.to_parquet() if kind == "parquet" else frame.to_csv(index=False).encode()
    path = tmp_path / f"log.{kind}.{packing}"
    if packing == "gzip":
        path.write_bytes(gzip.compress(plain))
    elif packing == "zstd":
        path.write_bytes(pa.compress(plain, codec="zstd", asbytes=True))
        with pa.CompressedOutputStream(str(path), "zstd") as stream:
            stream.write(plain)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("__MACOSX/._log", "junk")
            archive.writestr("folder/log", plain)
    assert read(path) == ROWS


def test_files_of_a_folder_and_of_a_glob_are_one_log(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,what,item\nu1,view,007\n")
    (tmp_path / "b.csv").write_text("user,what,item\nu2,buy,\n")
    assert read(tmp_path) == ROWS
    assert read(tmp_path / "*.csv") == ROWS


def test_files_with_different_headers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item\nu1,1\n")
    (tmp_path / "b.csv").write_text("user,shop\nu2,2\n")
    with pytest.raises(BadInput, match="user, item and user, shop"):
        read(tmp_path)


def test_a_file_without_header_gets_numbered_columns(write: Any) -> None:
    path = write("A1 B004 5.0\nA1 B005 4.0\n", "ratings.txt")
    assert columns(path) == ["column_1", "column_2", "column_3"]
    assert read(path) == [("A1", "B004", "5.0"), ("A1", "B005", "4.0")]


def test_a_header_above_text_only_is_recognised_by_its_shape(write: Any) -> None:
    assert columns(write("who,what\nu-1,view\nu-2,buy\n")) == ["who", "what"]
    assert columns(write("u-1,view\nu-2,buy\nu-1,view\n")) == ["column_1", "column_2"]


def test_odd_header_cells_are_tidied_and_made_unique(write: Any) -> None:
    path = write('\ufeff..ip, Price ,"Price",@id\n1,2,3,4\n')
    assert columns(path) == ["ip", "Price", "Price_2", "id"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_an_encoding_is_recognised(write: Any, encoding: str) -> None:
    path = write("user,city,item\nu1,Köln,1\nu2,Łódź,2\n".replace("Łódź", "Århus").encode(encoding))
    assert read(path) == [("u1", "Köln", "1"), ("u2", "Århus", "2")]


def test_quoted_fields_keep_delimiters_quotes_and_line_breaks(write: Any) -> None:
    path = write('user,note\nu1,"a, ""b""\nc"\nu2,5" screen\n')
    assert read(path) == [("u1", 'a, "b"\nc'), ("u2", '5" screen')]


def test_lines_keep_their_number_through_blank_lines_breaks_and_bad_rows(write: Any) -> None:
    path = write('\nuser,note\n\nu1,"a\nb"\nu2\nu3,x,y\nu4,z')
    assert lines(path) == [
        (1, 4, 'u1,"a\nb"', None),
        (2, 6, "u2", "1 fields instead of 2"),
        (3, 7, "u3,x,y", "3 fields instead of 2"),
        (4, 8, "u4,z", None),
    ]


def test_a_quote_that_never_closes_costs_its_own_line_only(write: Any) -> None:
    path = write('user,note\nu1,a\n"u2,b\nu3,c\nu4,d\n')
    assert lines(path) == [
        (1, 2, "u1,a", None),
        (2, 3, '"u2,b', "1 fields instead of 2"),
        (3, 4, "u3,c", None),
        (4, 5, "u4,d", None),
    ]


def test_lines_that_are_no_json_object_are_marked(write: Any) -> None:
    path = write('{"user": 1}\n{"user": \n[1]\n\n{"user": 2}\n', "log.jsonl")
    assert lines(path) == [
        (1, 1, '{"user": 1}', None),
        (2, 2, '{"user": ', "not valid JSON"),
        (3, 3, "[1]", "not a JSON object"),
        (4, 5, '{"user": 2}', None),
    ]


def test_the_format_of_a_mapping_wins_over_the_guess(write: Any) -> None:
    path = write("u1;a,b\nu2;c,d\n")
    assert read(path, format=Format(delimiter=";", header=False)) == [("u1", "a,b"), ("u2", "c,d")]
    assert format_of(path).delimiter in ",;"


CELL = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"]) | st.sampled_from('", \n'),
    min_size=1,
    max_size=8,
).map(str.strip)


@settings(max_examples=40, deadline=None)
@given(table=st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=12))
def test_whatever_a_csv_writer_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, table: list[tuple[str, str, str]]
) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows([("a", "b", "c"), *table])
    path = tmp_path_factory.mktemp("csv") / "log.csv"
    path.write_text(buffer.getvalue(), newline="")
    missing = {*MISSING}
    expected = [tuple(None if cell in missing else cell for cell in row) for row in table]
    assert read(path, format=Format(delimiter=",", header=True)) == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("log.csv", b"", "empty"),
        ("log.csv", b"\n  \n", "no line with anything"),
        ("log.csv", b"\x00\x01\x02\x03" * 200, "not text"),
        ("log.csv", bytes(range(256)) * 20, "not text"),
        ("log.csv.gz", gzip.compress(b"user,item\n" + b"u1,i1\n" * 5000, mtime=0)[:-30], "cut off"),
        ("log.csv.gz", b"\x1f\x8b garbage", "cannot be unpacked"),
        ("log.csv.zst", b"\x28\xb5\x2f\xfd garbage", "cannot be unpacked"),
        ("log.zip", b"PK\x03\x04 garbage", "cannot be unpacked"),
        ("log.parquet", b"PAR1 garbage", "cannot be read"),
        ("log.json", b"[]", "Nothing in the file is a JSON object"),
        ("log.jsonl", b"{broken\n{too\n", "Nothing in the file is a JSON object"),
    ],
)
def test_what_is_no_log_is_refused_with_what_is_accepted(
    write: Any, name: str, content: bytes, message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        read(write(content, name))


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pd.DataFrame({"user": [f"u{n}" for n in range(5000)]}).to_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + bytes(2000) + whole[2100:])
    with pytest.raises(BadInput, match="cannot be read"):
        read(path)


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no file at"):
        read(tmp_path / "nothing.csv")


def test_an_encoding_that_does_not_exist_is_refused(write: Any) -> None:
    with pytest.raises(BadInput, match="cannot be read as klingon"):
        read(write("a,b\n1,2\n"), format=Format(encoding="klingon"))
