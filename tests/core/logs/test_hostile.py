"""Files that are broken, or made to break the reader, are refused clearly or kept as rows."""

import bz2
import gzip
import io
import json
import resource
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from benchmarks.workbooks import rows_of, write_workbook
from core.errors import BadInput
from core.logs.importing import import_log
from core.logs.mapping import Mapping
from core.logs.proposal import inspect_log
from core.store.home import Home

Open = Callable[..., Any]
Write = Callable[..., Path]

LOG = b"user,item\n" + b"".join(b"u%d,i%d\n" % (n % 7, n) for n in range(3000))


def zipped(path: Path, members: dict[str, bytes], **attributes: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            for attribute, value in attributes.items():
                setattr(info, attribute, value)
            archive.writestr(info, content)
    return path


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue())


# --- archives


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, zstd], ids=["gz", "bz2", "zst"])
def test_what_unpacks_without_bound_is_refused(
    tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]
) -> None:
    monkeypatch.setattr("core.logs.unpacking._ALWAYS_FINE", 1 << 20)
    path = tmp_path / "log"
    path.write_bytes(pack(LOG[:1000] + bytes(1 << 24)))
    with pytest.raises(BadInput, match=r"unpacks to more than .* Accepted: up to 200 times"):
        opened(path)


def test_a_zip_bomb_is_refused_by_all_its_members_together(
    tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.logs.unpacking._ALWAYS_FINE", 1 << 20)
    bomb = {f"{n}.csv": b"u1,i1\n" * 100_000 for n in range(40)}
    with pytest.raises(BadInput, match="unpacks to more than"):
        opened(zipped(tmp_path / "bomb.zip", bomb))


def test_a_packed_log_larger_than_the_disk_allows_is_refused(
    tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = lambda path: type("Usage", (), {"free": 3 * len(LOG) - 10})  # noqa: E731
    monkeypatch.setattr("core.logs.unpacking.shutil.disk_usage", full)
    (tmp_path / "log.gz").write_bytes(gzip.compress(LOG))
    with pytest.raises(BadInput, match="1/3 of the free disk"):
        opened(tmp_path / "log.gz")


def test_the_names_in_a_zip_lead_nowhere(tmp_path: Path, opened: Open) -> None:
    names = ["../../escaped.csv", "/etc/escaped.csv", "a/../../..", "x" * 300 + ".csv", "..\\b.csv"]
    path = zipped(tmp_path / "log.zip", dict.fromkeys(names, b"user,item\nu1,i1\nu1,i2\n"))
    assert len(opened(path).rows) == 10
    assert [p.name for p in tmp_path.iterdir()] == ["log.zip"]
    assert not Path("/etc/escaped.csv").exists()


@pytest.mark.parametrize(
    ("members", "attributes", "message"),
    [
        ({"link.csv": b"/etc/passwd"}, {"external_attr": (stat.S_IFLNK | 0o777) << 16}, "a link"),
        ({"inner.zip": b"PK\x05\x06" + bytes(18)}, {}, "packed twice"),
        ({"inner.csv.gz": gzip.compress(LOG)}, {}, "packed twice"),
        ({"inner": bz2.compress(LOG)}, {}, "packed twice"),
        ({"[Content_Types].xml": b"x", "word/document.xml": b"x"}, {}, "no .xlsx workbook"),
        ({"mimetype": b"x", "content.xml": b"x"}, {}, "no .xlsx workbook"),
        ({"a.csv": LOG, "b.pdf": b"%PDF-1.4\n\x00\x01\x02\x00" * 99}, {}, "not text"),
        ({}, {}, "holds no file"),
        ({".hidden": LOG, "__MACOSX/a.csv": LOG}, {}, "holds no file"),
    ],
)
def test_an_archive_that_holds_no_plain_log_is_refused(
    tmp_path: Path,
    opened: Open,
    members: dict[str, bytes],
    attributes: dict[str, int],
    message: str,
) -> None:
    with pytest.raises(BadInput, match=message):
        opened(zipped(tmp_path / "log.zip", members, **attributes))


def test_an_encrypted_zip_is_refused(tmp_path: Path, opened: Open) -> None:
    path = zipped(tmp_path / "log.zip", {"log.csv": LOG})
    data = bytearray(path.read_bytes())
    data[6] |= 1  # the flag in the member's own header
    data[data.rindex(b"PK\x01\x02") + 8] |= 1  # and in the table of contents
    path.write_bytes(data)
    with pytest.raises(BadInput, match=r"is encrypted\. Accepted: archives without a password"):
        opened(path)


def test_too_many_files_in_an_archive_are_refused(
    tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.logs.unpacking._MOST_MEMBERS", 3)
    path = zipped(tmp_path / "log.zip", {f"{n}.csv": LOG for n in range(4)})
    with pytest.raises(BadInput, match=r"holds 4 files\. Accepted: up to 3"):
        opened(path)


@pytest.mark.parametrize("kind", ["gz", "bz2", "zst", "zip", "parquet", "xlsx"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_a_file_that_is_cut_off_is_refused(
    tmp_path: Path, opened: Open, kind: str, share: float
) -> None:
    frame = pd.read_csv(io.BytesIO(LOG))
    table: list[list[object]] = [["user", "item"], ["u1", "i1"], ["u2", "i2"]]
    whole = {
        "gz": lambda: gzip.compress(LOG),
        "bz2": lambda: bz2.compress(LOG),
        "zst": lambda: zstd(LOG),
        "zip": lambda: zipped(tmp_path / "a", {"log.csv": LOG}).read_bytes(),
        "parquet": frame.to_parquet,
        "xlsx": lambda: write_workbook(tmp_path / "b", {"S": rows_of(table)}).read_bytes(),
    }[kind]()
    path = tmp_path / f"log.{kind}"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BadInput, match=r"cut off|damaged"):
        opened(path)


# --- workbooks


def test_a_workbook_that_asks_for_endless_memory_is_refused(tmp_path: Path, opened: Open) -> None:
    far = '<sheetData><row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576">'
    path = write_workbook(tmp_path / "bomb.xlsx", {"S": far + "<v>1</v></c></row></sheetData>"})
    with pytest.raises(BadInput, match=r"more memory or time than there is. Accepted: \.xlsx"):
        opened(path)


def test_workbooks_without_rows_or_with_too_many_columns_are_refused(
    tmp_path: Path, opened: Open
) -> None:
    with pytest.raises(BadInput, match="no sheet has a row"):
        opened(write_workbook(tmp_path / "empty.xlsx", {"S": "<sheetData/>"}))
    wide = '<sheetData><row r="1"><c r="A1"><v>1</v></c><c r="CZZ1"><v>1</v></c></row></sheetData>'
    with pytest.raises(BadInput, match="has 2,730 columns; accepted: up to 2000"):
        opened(write_workbook(tmp_path / "wide.xlsx", {"S": wide}))
    (tmp_path / "old.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    with pytest.raises(BadInput, match=r"old or password-protected.*Save it as \.xlsx"):
        opened(tmp_path / "old.xls")


# --- text


def test_a_line_without_end_is_refused_in_bounded_memory(tmp_path: Path, opened: Open) -> None:
    path = tmp_path / "log.csv"
    with path.open("wb") as stream:
        stream.write(b"user,item\nu1,")
        stream.truncate(1 << 30)  # a gigabyte of NUL bytes that takes no room
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.monotonic()
    with pytest.raises(BadInput, match="not text"):
        opened(path)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert (time.monotonic() - start < 10, grown < 300_000) == (True, True)  # seconds, KiB


TOO_LONG = "a line of more than 8,000,000 characters, of which the beginning is kept"
KINDS = {  # header, and what a row becomes
    "csv": ("user,item\n", "u1,i{0}\n"),
    "quotes": ("user,item\n", 'u1,"i{0}, or so"\n'),
    "json": ("", '{{"user": "u1", "item": "i{0}"}}\n'),
    "access log": ("", '1.2.3.{0} - - [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.0" 200 1\n'),
    "fixed": ("user  item  what\n", "u{0:4}  i{0:<3}  add to cart\nu{0:4}        view\n"),
}


@pytest.mark.parametrize(
    ("kind", "encoding"), [*((kind, "utf-8") for kind in KINDS), ("csv", "utf-16")]
)
def test_a_line_too_long_for_an_event_costs_itself_only(
    write: Write, opened: Open, kind: str, encoding: str
) -> None:
    header, row = KINDS[kind]
    above, below = ("".join(map(row.format, numbers)) for numbers in (range(9), range(9, 99)))
    path = write((header + above + 'u1,"' + "x" * 9_000_000 + "\n" + below).encode(encoding))
    found, rows = opened(path), (above + below).count("\n")
    assert len(found.rows) == rows
    line = (header + above).count("\n") + 1
    assert found.refused == [(line, TOO_LONG, 'u1,"' + "x" * 996)]
    assert [number for number, _, _ in found.lines] == list(range(1, rows + 2))
    looked = inspect_log(
        path, mapping=Mapping.model_validate({"roles": {"actor": found.columns[0]}})
    )
    assert looked.quality["rejected_by_reason"] == {TOO_LONG: 1}


def test_a_look_goes_past_a_line_that_is_longer_than_a_look(write: Write) -> None:
    quality = inspect_log(write(b"user,item\n" + b"x" * (40 << 20) + b"\n" + LOG[10:])).quality
    assert (quality["accepted"], quality["rejected_by_reason"]) == (3000, {TOO_LONG: 1})


def test_a_quote_left_open_above_a_line_too_long_swallows_neither(
    write: Write, opened: Open
) -> None:
    path = write('user,item\nu1,"a\nb"\nu2,"open\n' + '"' * 9_000_000 + '"\nu3,c\n')
    found = opened(path)
    assert found.rows == [("u1", "a\nb"), ("u2", "open"), ("u3", "c")]
    assert [(line, why) for line, why, _ in found.refused] == [(5, TOO_LONG)]


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_line_of_any_length_is_held_in_bounded_memory(tmp_path: Path, kind: str) -> None:
    header, row = KINDS[kind]
    rows = "".join(map(row.format, range(99))).encode()
    with (tmp_path / "log").open("wb") as stream:
        stream.write(header.encode() + rows)
        stream.writelines([b"x" * (1 << 20)] * 100)
        stream.write(b"\n" + rows)
    measure = (
        "import resource, sys; from pathlib import Path; from core.logs.engine import connect;"
        "from core.logs.reader import open_log; scratch = Path(sys.argv[2]);"
        "used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; before = used()\n"
        "with connect(scratch) as con:\n"
        "    open_log(con, Path(sys.argv[1]), scratch)\n"
        "    count, = con.execute('SELECT count(*) FROM source').fetchone()\n"
        "print(count, used() - before)"
    )
    (tmp_path / "scratch").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", measure, str(tmp_path / "log"), str(tmp_path / "scratch")],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    count, grown = map(int, done.stdout.split())
    assert count == 199
    assert grown < 250_000, "KiB for a line of 102,400 KiB"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (",".join(f"c{n}" for n in range(1_000_000)).encode() + b"\n1,2\n", "up to 2,000"),
        (json.dumps({f"c{n}": n for n in range(10_000)}).encode() + b"\n", "up to 2,000"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 50, "not text"),
        (b"\x7fELF" + bytes(2000), "not text"),
        (b"\xff\xfe\xa7\x96", "no row below its header"),
    ],
)  # fmt: skip
def test_what_is_no_table_of_events_is_refused(write: Write, content: bytes, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        import_log_or_inspect(write(content))


def import_log_or_inspect(path: Path) -> None:
    found = inspect_log(path)
    if "problem" in found.quality:
        raise BadInput(found.quality["problem"])


def test_nul_bytes_and_mixed_line_ends_cost_no_row(write: Write, opened: Open) -> None:
    found = opened(write(b"user,item\r\nu1,i\0 1\nu2,i2\ru3,i3\r\n\r\nu4,i4"))
    assert found.rows == [("u1", "i  1"), ("u2", "i2"), ("u3", "i3"), ("u4", "i4")]
    assert [line for _, line, _ in found.lines] == [2, 3, 4, 6]


def test_a_stray_quote_in_the_header_swallows_no_row(write: Write, opened: Open) -> None:
    found = opened(write('user,"item\nu1,i1\nu2,"i2"\nu3,i3\n'))
    assert found.columns == ["user", "item"]
    assert found.rows == [("u1", "i1"), ("u2", "i2"), ("u3", "i3")]


def test_quotes_that_never_close_keep_every_line(home: Home, write: Write) -> None:
    lines = [f'"u{n},i' if n % 3 else f"u1,i{n}" for n in range(600)]
    dataset = import_log(home, write("user,item\n" + "\n".join(lines) + "\n"))
    assert (dataset.read, dataset.accepted, dataset.rejected) == (600, 200, 400)


def test_equal_and_odd_column_names_stay_apart_and_can_be_mapped(write: Write) -> None:
    path = write('user,USER,user_2,"a"" ""b",\u200b,,x" "\nu1,u2,u3,1,2,3,4\nu1,u2,u3,1,2,3,4\n')
    first = inspect_log(path)
    assert first.mapping.roles.actor == "user"
    names = first.columns["name"].tolist()
    assert names[:3] == ["user", "USER_2", "user_2_2"]
    assert len({name.lower() for name in names}) == 7
    assert "problem" not in inspect_log(path, mapping=first.mapping).quality


@pytest.mark.parametrize(
    "content",
    [
        b"a" + b" " * 200_000 + b"b,c\n1,2\n",
        b"9" * 200_000 + b"x,c\n1,2\n",
        b'"' * 200_001 + b"\n1,2\n",
        b"a-" * 100_000 + b",c\n" + b"1," * 100 + b"\n",
        b'1.1.1.1 - - [a] "' + b"\\" * 200_001 + b"\n" + b"- " * 100_000,
        b'{"a":' * 40_000 + b"1" + b"}" * 40_000 + b"\n",
        b"[" * 200_000,
        b'[{"a":1},' + b'{"' * 100_000,
        b'[{"a":1},' + b'{"a":"\n' * 50_000,
    ],
    ids=["spaces", "digits", "quotes", "dashes", "slashes", "deep", "open", "braces", "strings"],
)
def test_lines_made_to_keep_the_reader_busy_do_not(write: Write, content: bytes) -> None:
    start = time.monotonic()
    with pytest.raises(BadInput):
        import_log_or_inspect(write(content))
    assert time.monotonic() - start < 10


def test_deeply_nested_json_stays_text_below_five_keys(write: Write, opened: Open) -> None:
    deep = '{"a":' * 3000 + "1" + "}" * 3000
    found = opened(write(f'{{"user":"u1","x":{deep}}}\n{{"user":"u2"}}\n', "log.jsonl"))
    assert found.columns == ["user", "x.a.a.a.a"]
    assert found.refused == []


def test_keys_that_no_column_can_be_called_are_read(write: Write, opened: Open) -> None:
    found = opened(write(r'{"": 1, "a\u0000b": 2, "q\"": 3, "~/": {"\n": 4}}' + "\n", "a.jsonl"))
    assert found.rows == [("1", "2", "3", "4")]


# --- files and folders


def test_links_that_lead_nowhere_and_devices_are_refused(tmp_path: Path, opened: Open) -> None:
    (tmp_path / "a.csv").write_bytes(LOG)
    (tmp_path / "b.csv").symlink_to(tmp_path / "gone.csv")
    for path in (tmp_path, tmp_path / "b.csv", Path("/dev/zero")):
        with pytest.raises(BadInput, match="no file but a device or a link"):
            opened(path)


def test_a_file_that_may_not_be_read_is_refused(
    tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "log.csv").write_bytes(LOG)

    def refuse(path: Path, *arguments: Any, **options: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(BadInput, match=r"log\.csv' cannot be read: Permission denied"):
        opened(tmp_path)


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "**", "[", "~"])
def test_a_path_that_cannot_be_is_refused(tmp_path: Path, opened: Open, name: str) -> None:
    with pytest.raises(BadInput, match=r"no file|cannot be read"):
        opened(tmp_path / name)


def test_long_and_odd_names_of_files_are_no_obstacle(tmp_path: Path, opened: Open) -> None:
    for name in ("ü" * 120 + ".csv", "log[1]*?'.csv", "-n.csv"):
        (tmp_path / name).write_bytes(LOG)
        assert len(opened(tmp_path / name).rows) == 3000
    assert len(opened(tmp_path).rows) == 9000
    pd.read_csv(io.BytesIO(LOG)).to_parquet(tmp_path / "log[1]*'.parquet")
    assert len(opened(tmp_path / "log[1]*'.parquet").rows) == 3000


def test_a_header_without_rows_is_refused(home: Home, tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "log.xlsx", {"S": rows_of([["user", "item"]])})
    with pytest.raises(BadInput, match="no row below its header"):
        import_log(home, path)
    pd.DataFrame({"user": [], "item": []}).to_parquet(tmp_path / "log.parquet")
    with pytest.raises(BadInput, match="no row below its header"):
        import_log(home, tmp_path / "log.parquet")
