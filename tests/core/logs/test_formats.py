"""Every accepted format is read without any setting."""

import bz2
import gzip
import json
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks.workbooks import rows_of, write_workbook
from core.errors import BadInput
from core.logs.importing import import_log
from core.logs.mapping import Format
from core.logs.proposal import inspect_log
from core.store.home import Home

Open = Callable[..., Any]
Write = Callable[..., Path]

ROWS = [("u1", "view", "007"), ("u2", "buy", None)]


# --- encodings


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-16-le", "user,city,item\nu1,Köln,1\n"),
        ("utf-16-be", "user,city,item\nu1,Köln,1\n"),
        ("utf-16", "用户,动作,商品\n张三,浏览,手机壳\n李四,下单,连衣裙\n"),
        ("utf-16-le", "用户,动作,商品\n张三,浏览,手机壳\n李四,下单,连衣裙\n"),
        ("utf-32", "user,city,item\nu1,Köln,1\n"),
        ("gb18030", "用户,动作,商品\n张三,浏览,手机壳\n李四,加入购物车,连衣裙\n王五,下单,运动鞋\n"),
        ("big5", "用戶,動作,商品\n張三,瀏覽,手機殼\n李四,加入購物車,連衣裙\n王五,下單,運動鞋\n"),
        ("latin-1", "user,city,item\nu1,Århus,1\nu2,Älmhult,2\nu3,Málaga,3\nu4,Cœur,4\n"),
        ("latin-1", "user,city\nu1,Århus\nu2,Älmhult\nu3,Ånge\n"),
        ("cp1252", "user,city,price\nu1,Århus,5 €\nu2,Besançon,“2”\n"),
    ],
)
def test_an_encoding_without_a_mark_is_recognised(
    write: Write, opened: Open, encoding: str, text: str
) -> None:
    found = opened(write(text.encode(encoding, errors="replace")))
    expected = [line.split(",") for line in text.splitlines()]
    assert found.columns == expected[0]
    written = [
        [cell.encode(encoding, errors="replace").decode(encoding) for cell in row]
        for row in expected[1:]
    ]
    assert [list(row) for row in found.rows] == written


def test_files_of_a_folder_may_differ_in_encoding(tmp_path: Path, opened: Open) -> None:
    (tmp_path / "a.csv").write_bytes("user,city\nu1,Köln\n".encode("utf-8-sig"))
    (tmp_path / "b.csv").write_bytes("user,city\nu2,Köln\n".encode("cp1252"))
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress("user,city\nu3,Köln\n".encode("utf-16")))
    expected = [("u1", "Köln"), ("u2", "Köln"), ("u3", "Köln")]
    first = opened(tmp_path)
    assert first.rows == expected
    assert opened(tmp_path, format=first.format).rows == expected


# --- text in columns of a fixed width

FIXED = (
    "user   time                 action       item\n"
    "u1     2020-01-01 10:00:00  add to cart   007\n"
    "u2     2020-01-01 10:05:00                008\n"
    "anna b 2020-01-02 09:00:00  buy          1009\n"
)


def test_columns_of_a_fixed_width_keep_spaces_and_missing_values(
    write: Write, opened: Open
) -> None:
    found = opened(write(FIXED, "log.txt"))
    assert (found.format.kind, found.columns) == ("fixed", ["user", "time", "action", "item"])
    assert found.rows == [
        ("u1", "2020-01-01 10:00:00", "add to cart", "007"),
        ("u2", "2020-01-01 10:05:00", None, "008"),
        ("anna b", "2020-01-02 09:00:00", "buy", "1009"),
    ]
    assert found.lines[2] == (3, 4, "anna b 2020-01-02 09:00:00  buy          1009")


def test_a_longer_value_below_may_reach_into_a_gap_but_not_across_it(
    write: Write, opened: Open
) -> None:
    later = (
        "u3     2020-01-02 09:00:00  put into bin 10\nu4     2020-01-02 09:00:00tooooo lateeeee10\n"
    )
    found = opened(write(FIXED + (FIXED.split("\n", 1)[1] * 400) + later, "log.txt"))
    assert found.rows[-1] == ("u3", "2020-01-02 09:00:00", "put into bin", "10")
    (refused,) = found.refused
    assert refused[0] == 1206
    assert refused[1] == "a value is written across the edge of column 'action'"


def test_columns_without_names_are_parted_by_two_spaces(write: Write, opened: Open) -> None:
    text = "u1  2020-01-01 10:00  view     5\nu2  2020-01-01 10:01          12\n"
    found = opened(write(text * 3, "log.txt"))
    assert found.columns == ["column_1", "column_2", "column_3", "column_4"]
    assert found.rows[:2] == [
        ("u1", "2020-01-01 10:00", "view", "5"),
        ("u2", "2020-01-01 10:01", None, "12"),
    ]


def test_prose_has_no_columns(write: Write, opened: Open) -> None:
    with pytest.raises(BadInput, match="no columns of a fixed width"):
        opened(write("just some words\nand others\n"), format=Format(kind="fixed"))


# --- JSON


def test_nested_objects_become_dotted_columns(write: Write, opened: Open) -> None:
    path = write(
        '{"user": {"id": "u1", "geo": {"country": "DE"}}, "tags": [{"a": 1}], "n": 1}\n'
        '{"n": 2, "user": {"id": "u2", "geo": null}, "extra": {"a.b": "x"}}\n',
        "log.jsonl",
    )
    found = opened(path)
    assert found.columns == ["user.id", "user.geo.country", "tags", "n", "extra.a.b"]
    assert found.rows == [
        ("u1", "DE", '[{"a":1}]', "1", None),
        ("u2", None, None, "2", "x"),
    ]


def test_a_key_that_holds_now_a_value_now_an_object_loses_neither(
    write: Write, opened: Open
) -> None:
    found = opened(write('{"user": {"id": "u1"}}\n{"user": "anon"}\n', "log.jsonl"))
    assert found.columns == ["user", "user.id"]
    assert found.rows == [('{"id":"u1"}', "u1"), ("anon", None)]


EVENTS = [{"user": "u1", "what": "view", "item": "007"}, {"user": "u2", "what": "buy"}]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(EVENTS),
        json.dumps(EVENTS, indent=2),
        "\n \n" + json.dumps(EVENTS, indent=None),
        json.dumps({"version": 1, "meta": {"tags": ["x"]}, "events": EVENTS, "total": 2}),
        json.dumps({"meta": {"a": [1, 2]}, "events": EVENTS}, indent=4),
        "\n".join(json.dumps(event, indent=1) for event in EVENTS),
        "[\n" + ",\n".join(map(json.dumps, EVENTS)) + "\n]\n",
    ],
)  # fmt: skip
def test_an_array_of_objects_is_read_however_it_is_laid_out(
    write: Write, opened: Open, text: str
) -> None:
    found = opened(write(text, "log.json"))
    assert (found.format.kind, found.columns) == ("json", ["user", "what", "item"])
    assert (found.rows, found.refused) == (ROWS, [])
    again = opened(write(text, "log.json"), format=found.format)
    assert again.rows == ROWS


def test_a_single_object_with_an_array_inside_is_an_event_of_a_json_lines_log(
    write: Write, opened: Open
) -> None:
    text = '{"user": "u1", "items": [{"id": 1}]}\n{"user": "u2", "items": []}\n'
    found = opened(write(text, "log.jsonl"))
    assert found.format.kind == "jsonl"
    assert found.rows == [("u1", '[{"id":1}]'), ("u2", "[]")]


def test_what_is_no_object_in_an_array_is_refused_with_line_and_text(
    write: Write, opened: Open
) -> None:
    text = (
        '[\n{"user": "u1"},\n7,\n{"user": "u2", broken},\n{"user":\n "u3"},\n'
        '["x"],\n{"user": "u4"\n]'
    )
    found = opened(write(text, "log.json"))
    assert found.rows == [("u1",), ("u3",)]
    assert found.refused == [
        (3, "not a JSON object", "7"),
        (4, "not valid JSON", '{"user": "u2", broken}'),
        (7, "not a JSON object", '["x"]'),
        (8, "not valid JSON", '{"user": "u4"\n]'),
    ]
    assert found.lines[3] == (4, 5, '{"user":\n "u3"}')


def test_an_array_larger_than_the_window_is_read_whole(
    write: Write, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.logs.json_records._CHUNK", 50)
    events = [{"user": f"u{n}", "note": "x" * n, "price": n * 1000} for n in range(200)]
    for text in (json.dumps(events, indent=1), json.dumps({"a": 1, "events": events, "b": {}})):
        found = opened(write(text, "log.json"))
        assert [row[0] for row in found.rows] == [f"u{n}" for n in range(200)]
        assert found.rows[199][2] == "199000"
        assert found.refused == []
    some = opened(write(json.dumps(events), "log.json"), limit=1000)
    assert 10 < len(some.rows) < 50
    assert some.refused == []


def test_a_number_that_the_window_cuts_is_kept_whole(
    write: Write, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.logs.json_records._CHUNK", 7)
    found = opened(write('[{"user": 1}, 1234567890, 1234567, 12345678901]', "log.json"))
    assert [text for _, _, text in found.refused] == ["1234567890", "1234567", "12345678901"]


def test_an_object_with_several_arrays_is_refused(write: Write, opened: Open) -> None:
    path = write('{"clicks": [{"user": 1}], "n": 1, "orders": [{"user": 2}]}', "log.json")
    with pytest.raises(BadInput, match=r'several arrays of objects.*"orders"'):
        opened(path)


# --- access logs

ACCESSES = (
    '1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] "GET /shop/item?id=7&a=b HTTP/1.0" 200 2326\n'
    '1.2.3.4 - anna [10/Oct/2000:13:55:40 -0700] "POST /cart HTTP/1.1" 302 -\n'
    "this is no access\n"
    '5.6.7.8 - - [11/Oct/2000:13:55:36 +0000] "-" 408 0\n'
)


def test_a_common_access_log_is_read(write: Write, opened: Open) -> None:
    found = opened(write(ACCESSES, "access.log"))
    assert found.format.kind == "access_log"
    assert found.columns == [
        "ip", "authuser", "time", "method", "url_path", "url_query", "protocol", "status", "bytes",
    ]  # fmt: skip
    times = ["2000-10-10 20:55:36+00", "2000-10-10 20:55:40+00", "2000-10-11 13:55:36+00"]
    assert found.rows == [
        ("1.2.3.4", None, times[0], "GET", "/shop/item", "id=7&a=b", "HTTP/1.0", "200", "2326"),
        ("1.2.3.4", "anna", times[1], "POST", "/cart", None, "HTTP/1.1", "302", None),
        ("5.6.7.8", None, times[2], None, None, None, None, "408", "0"),
    ]
    assert found.refused == [(3, "not a line of an access log", "this is no access")]


def test_a_combined_access_log_with_a_host_and_more_fields_is_read(
    write: Write, opened: Open
) -> None:
    line = (
        'shop.example:443 ::1 - - [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.0" 200 2 '
        r'"http://x/" "Mozilla \"5\" (X11; Linux)" "id=7" 0.003'
    )
    found = opened(write(line + "\n", "access.log"))
    row = dict(zip(found.columns, found.rows[0], strict=True))
    assert found.columns[:2] == ["host", "ip"]
    assert row["referrer"] == "http://x/"
    assert row["useragent"] == r"Mozilla \"5\" (X11; Linux)"
    assert row["rest"] == '"id=7" 0.003'


def test_behind_a_proxy_acts_whom_it_forwarded(write: Write, opened: Open) -> None:
    line = (
        '10.0.0.{0} - - [10/Oct/2000:13:{0:02}:36 +0000] "GET /p/{1} HTTP/1.1" 200 2 "-" "Bot/{1}" '
    )
    forwarded = ['"198.51.100.{2}"', '"unknown, 2001:db8::{2}, 172.16.0.1" 0.5', '"-"', '"a=b"']
    lines = [
        (line + forwarded[n % 4]).format(n % 2, n % 9, n % 7) for n in range(56)
    ]  # by way of two proxies
    path = write("\n".join(lines), "access.log")
    found = opened(path)
    clients = [row[found.columns.index("client_ip")] for row in found.rows[:4]]
    assert clients == ["198.51.100.0", "2001:db8::1", "10.0.0.0", "10.0.0.1"]
    rests = [row[found.columns.index("rest")] for row in found.rows[:4]]
    assert rests == [None, "0.5", None, '"a=b"']
    assert inspect_log(path).mapping.roles.actor == "client_ip"


def test_an_access_log_is_proposed_as_what_an_address_asked_for_when(write: Write) -> None:
    agent = ' "-" "Mozilla/5.0 (X11)"'
    lines = [line + agent for line in ACCESSES.splitlines() if line.startswith("1.")] * 5
    lines += [line.replace("1.2.3.4", "5.6.7.8") for line in lines]
    roles = inspect_log(write("\n".join(lines), "access.log")).mapping.roles
    assert roles.taken() == {
        "ip": "actor", "time": "time", "method": "action", "url_path": "item",
    }  # fmt: skip


# --- Parquet


def test_structs_in_parquet_become_dotted_columns(tmp_path: Path, opened: Open) -> None:
    frame = pd.DataFrame(
        {
            "user": [{"id": 7.0, "geo": {"country": "DE"}}, {"id": None, "geo": None}],
            "tags": [["a", "b"], []],
        }
    )
    frame.to_parquet(tmp_path / "log.parquet")
    found = opened(tmp_path / "log.parquet")
    assert found.columns == ["user.id", "user.geo.country", "tags"]
    assert found.rows == [("7", "DE", "[a, b]"), (None, None, "[]")]


# --- Excel


TABLE: list[list[object]] = [
    ["user", "time", "price", "gift"],
    ["u1", datetime(2020, 1, 1, 10, 30), 1.5, True],
    [],
    ["u2", datetime(2020, 1, 2), 7, ""],
]


def test_the_first_sheet_with_rows_is_read_and_named(tmp_path: Path, opened: Open) -> None:
    sheets = {"Notes": rows_of([]), "Events": rows_of(TABLE, 3), "More": rows_of([["item"], ["y"]])}
    path = write_workbook(tmp_path / "log.xlsx", sheets)
    found = opened(path)
    assert found.format == Format(kind="excel", header=True, sheet="Events")
    assert found.columns == ["user", "time", "price", "gift"]
    assert found.rows == [
        ("u1", "2020-01-01 10:30:00", "1.5", "true"),
        ("u2", "2020-01-02", "7", None),
    ]
    assert found.lines == [
        (1, 4, "u1\t2020-01-01 10:30:00\t1.5\ttrue"),
        (2, 6, "u2\t2020-01-02\t7\t"),
    ]
    assert opened(path, format=Format(kind="excel", sheet="More")).columns == ["item"]
    with pytest.raises(BadInput, match="no sheet 'Sales'; accepted: Notes, Events, More"):
        opened(path, format=Format(kind="excel", sheet="Sales"))


def test_workbooks_of_a_folder_are_one_log_also_packed(tmp_path: Path, opened: Open) -> None:
    write_workbook(tmp_path / "a.xlsx", {"S": rows_of(TABLE)})
    inner = write_workbook(tmp_path / "b.xlsx", {"S": rows_of(TABLE)})
    (tmp_path / "c.gz").write_bytes(gzip.compress(inner.read_bytes()))
    assert [row[0] for row in opened(tmp_path).rows] == ["u1", "u2"] * 3


def test_an_excel_log_is_imported(tmp_path: Path, home: Home) -> None:
    dataset = import_log(home, write_workbook(tmp_path / "log.xlsx", {"S": rows_of(TABLE)}))
    assert (dataset.read, dataset.accepted) == (2, 2)
    assert dataset.mapping["roles"]["time"] == "time"


# --- packing


def test_bzip2_is_unpacked(tmp_path: Path, opened: Open) -> None:
    path = tmp_path / "log.csv.bz2"
    path.write_bytes(bz2.compress(b"user,what,item\nu1,view,007\nu2,buy,\n"))
    assert opened(path).rows == ROWS


def test_rows_of_packed_files_name_the_file(tmp_path: Path, home: Home) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"user,item\nu1,x\nu1,y\nu2\n"))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("in/b1.csv", "user,item\nu1,x\nu2\n")
    reasons = import_log(home, tmp_path).quality["rejected_by_reason"]
    assert reasons == {"1 fields instead of 2": 2}


def test_a_folder_of_different_kinds_is_refused(tmp_path: Path, opened: Open) -> None:
    (tmp_path / "a.csv").write_text("user,item\nu1,x\n")
    (tmp_path / "b.jsonl").write_text('{"user": "u1"}\n')
    with pytest.raises(BadInput, match=r"different kinds: 'a.csv' is csv, 'b.jsonl' is jsonl"):
        opened(tmp_path)
    pd.DataFrame({"user": [1]}).to_parquet(tmp_path / "b.jsonl")
    with pytest.raises(BadInput, match=r"'a.csv' is text, 'b.jsonl' is parquet"):
        opened(tmp_path)


def test_empty_files_beside_others_are_left_out(tmp_path: Path, opened: Open) -> None:
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / "part-0.csv").write_text("user,what,item\nu1,view,007\nu2,buy,\n")
    assert opened(tmp_path).rows == ROWS


def test_text_that_starts_like_an_archive_or_an_array_is_text(write: Write, opened: Open) -> None:
    assert opened(write("PK,user\n1,u1\n2,u2\n")).columns == ["PK", "user"]
    assert len(opened(write("[2020-01-01] u1 view\n[2020-01-02] u2 buy\n", "a.log")).rows) == 2


# --- titles and comments above the header


EVENT_ROWS = "".join(f"u{n % 3},2020-01-0{n % 9 + 1},view,{n}\n" for n in range(20))
NAMES = "user,time,action,item\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    ("above", "skip"),
    [
        ("Report of October\n\n", 1),
        ("# made by shopd 1.2\n# on 2020-02-01, at 10:00\n", 2),
        ('"Report, of ""October"""\n', 1),
        ("Report,,,\n,,,\nShop 7,,,\n", 3),
        ("", 0),
    ],
)
def test_rows_above_the_names_of_the_columns_are_left_out(
    write: Write, opened: Open, above: str, skip: int, encoding: str
) -> None:
    found = opened(write((above + NAMES + EVENT_ROWS).encode(encoding)))
    assert (found.format.skip, found.format.header) == (skip, True)
    assert found.columns == ["user", "time", "action", "item"]
    assert (len(found.rows), found.refused) == (20, [])
    line = above.count("\n") + 2
    assert found.lines[0] == (1, line, "u0,2020-01-01,view,0")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_short_first_row_of_a_log_without_names_is_no_title(
    write: Write, opened: Open, encoding: str
) -> None:
    found = opened(write(("u1\n" + EVENT_ROWS).encode(encoding)))
    assert (found.format.skip, found.format.header) == (0, False)
    assert found.refused == [(1, "1 fields instead of 4", "u1")]
    assert len(found.rows) == 20


@pytest.mark.parametrize(
    ("content", "kind", "rows"),
    [
        ("about: this log\n" + FIXED, "fixed", 3),
        ('"a comment"\n{"user": "u1"}\n{"user": "u2"}\n', "jsonl", 2),
        ("1\n2\n" + NAMES + EVENT_ROWS, "csv", 20),
    ],
)
def test_what_to_leave_out_can_be_said(
    write: Write, opened: Open, content: str, kind: str, rows: int
) -> None:
    skip = 2 if kind == "csv" else 1
    known: dict[str, Any] = {"skip": skip} if kind == "csv" else {"skip": skip, "kind": kind}
    found = opened(write(content), format=Format(**known))
    assert (found.format.kind, found.format.skip) == (kind, skip)
    assert (len(found.rows), found.refused) == (rows, [])


def test_leaving_out_every_row_is_refused(write: Write, opened: Open, tmp_path: Path) -> None:
    for path in (write(NAMES), write_workbook(tmp_path / "log.xlsx", {"S": rows_of([["a"]])})):
        with pytest.raises(BadInput, match=r"skips 7 rows, and so all of the first 1\. Accepted"):
            opened(path, format=Format(skip=7))


def test_titles_above_the_header_of_a_sheet_are_left_out(
    tmp_path: Path, opened: Open, home: Home
) -> None:
    titled = [["Report of October"], [], ["Shop", "Seven"], *TABLE]
    path = write_workbook(tmp_path / "log.xlsx", {"S": rows_of(titled)})
    found = opened(path)
    assert (found.format.skip, found.columns) == (2, ["user", "time", "price", "gift"])
    assert [number for _, number, _ in found.lines] == [5, 7]
    dataset = import_log(home, path)
    assert (dataset.read, dataset.accepted, dataset.mapping["format"]["skip"]) == (2, 2, 2)
    headless = opened(path, format=Format(kind="excel", skip=3, header=False))
    assert [row[0] for row in headless.rows] == ["u1", "u2"]
