"""Logs as well-known shops, tools and data sets write them, understood without any setting."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.errors import BadInput
from core.logs.frames import read_events
from core.logs.importing import import_log
from core.logs.mapping import Format, Mapping, Roles, TimeRule, parse_mapping
from core.logs.proposal import inspect_log
from core.store.home import Home

Open = Callable[..., Any]
Write = Callable[..., Path]

ROWS = 400
DRAWN = np.random.default_rng(3)
START = datetime(2014, 4, 20, 9, 0, 0)


def at(number: int) -> datetime:
    return START + timedelta(seconds=67 * number)


def some(most: int) -> int:
    return int(DRAWN.integers(most))


def one_of(*values: str) -> str:
    return values[some(len(values))]


def movielens(n: int) -> str:
    return f"{some(40)}::{some(300)}::{some(5) + 1}::{978300760 + 30 * n}"


def yoochoose(n: int) -> str:
    return f"{n // 4 + 1},{at(n):%Y-%m-%dT%H:%M:%S.277}Z,{214530000 + some(90)},{one_of('0', 'S')}"


def taobao(n: int) -> str:
    return f"{some(90) + 1},{some(900)},{some(60)},{one_of('pv', 'cart', 'buy')},{1511544070 + n}"


def retailrocket(n: int) -> str:
    event = one_of("view", "view", "transaction")
    order = n // 2 if event == "transaction" else ""
    return f"{1433221332117 + 5000 * n},{some(90)},{event},{some(300)},{order}"


def diginetica(n: int) -> str:
    return f"{n // 5};{one_of('NA', str(some(40)))};{some(300)};{some(900000)};2016-05-{1 + n % 28}"


def german(n: int) -> str:
    price = f"{some(90) + 1},{10 + some(90)}"
    return f"K{some(40)};{at(n):%d.%m.%Y %H:%M:%S};{one_of('Ansicht', 'Kauf')};A{some(90)};{price}"


def sparkov(n: int) -> str:
    shop, card = f'"fraud_Rippin, Kub and Mann{some(30)}"', 2703186189650000 + some(40)
    return f"{n},{at(n)},{card},{shop},misc_net,{some(9000) / 100:.2f},{some(2**40):x},{some(2)}"


def kibana(n: int) -> str:
    return f'"{at(n):%b %d, %Y @ %H:%M:%S.000}",10.1.1.{some(40)},/p/{some(30)},200'


def tianchi(n: int) -> str:
    return f"{some(40)},{some(300)},{some(9)}.0,{some(4)}"


def bakery(n: int) -> str:
    return f"{at(n):%Y-%m-%d},{at(n):%H:%M:%S},{n // 3},{one_of('Bread', 'Coffee')}"


def paypal(n: int) -> str:
    sum_ = f'"1,{100 + some(900)}.50"'
    return (
        f"{at(n):%m/%d/%Y},{at(n):%I:%M %p},{one_of('Payment', 'Refund')},{sum_},b{some(30)}@x.com"
    )


def guests(n: int) -> str:
    user = f"u{some(30)}" if n % 2 else ""
    return f"{at(n)},{user},c{some(40)},view"


def jdata(n: int) -> str:
    return f"{some(40)},{some(300)},{at(n)},{some(9)},{some(5) + 1}"


def amazon_orders(n: int) -> str:
    status = one_of("Shipped", "Pending", "Unshipped")
    return f"171-{n}\t{at(n):%Y-%m-%dT%H:%M:%S+00:00}\t{status}\tSKU{some(90)}\t399\tb{some(40)}@x"


def magento(n: int) -> str:
    return (
        f'{n:09},"{at(n):%b %d, %Y %I:%M:%S %p}",Name {some(40)},{one_of("Canceled", "Complete")}'
    )


def instacart(n: int) -> str:
    return f"{n // 8},{some(500)},{n % 8 + 1},{some(2)}"


def dunnhumby(n: int) -> str:
    return f"{some(40)},{26984851472 + n // 5},{1 + n // 3},{800000 + some(900)},{some(9)}.5"


def stripe(n: int) -> str:
    message = one_of("Payment complete.", "Card declined")
    return f"ch_{n},{at(n):%Y-%m-%d %H:%M},{some(90)}.50,{message},cus_{some(40)}"


def impressions(n: int) -> str:
    return f"{some(40)},{1494137644 + n},{some(90)},430548_1007,{some(2)}"


CSVS = [
    ("ratings.dat", None, movielens, {"actor": "column_1", "item": "column_2", "time": "column_4"}),
    (
        "clicks.dat", None, yoochoose,
        {"actor": "column_1", "time": "column_2", "item": "column_3"},
    ),
    (
        "UserBehavior.csv", None, taobao,
        {"actor": "column_1", "item": "column_2", "action": "column_4", "time": "column_5"},
    ),
    (
        "events.csv", "timestamp,visitorid,event,itemid,transactionid", retailrocket,
        {"actor": "visitorid", "time": "timestamp", "action": "event", "item": "itemid"},
    ),
    (
        "views.csv", "sessionId;userId;itemId;timeframe;eventdate", diginetica,
        {"actor": "sessionId", "time": "eventdate", "item": "itemId"},
    ),
    (
        "bestellungen.csv", "Kundennummer;Bestelldatum;Aktion;Artikelnummer;Stückpreis", german,
        {"actor": "Kundennummer", "time": "Bestelldatum", "action": "Aktion",
         "item": "Artikelnummer", "amount": "Stückpreis"},
    ),
    (
        "fraud.csv", ",trans_date_trans_time,cc_num,merchant,category,amt,trans_num,is_fraud",
        sparkov,
        {"actor": "cc_num", "time": "trans_date_trans_time", "item": "merchant", "amount": "amt"},
    ),
    ("kibana.csv", '"@timestamp",clientip,request,response', kibana,
     {"actor": "clientip", "time": "timestamp"}),
    ("tianchi.csv", "user_id,item_id,brand_id,action_type", tianchi,
     {"actor": "user_id", "item": "item_id", "action": "action_type"}),
    ("bakery.csv", "Date,Time,Transaction,Item", bakery,
     {"actor": "Transaction", "time": "Date", "item": "Item"}),
    ("paypal.csv", "Date,Time,Type,Gross,From Email Address", paypal,
     {"actor": "From Email Address", "time": "Date", "action": "Type", "amount": "Gross"}),
    ("guests.csv", "time,user_id,anonymous_id,action", guests,
     {"actor": "anonymous_id", "time": "time", "action": "action"}),
    ("jdata.csv", "user_id,sku_id,action_time,module_id,type", jdata,
     {"actor": "user_id", "item": "sku_id", "time": "action_time", "action": "type"}),
    ("orders.txt", "amazon-order-id\tpurchase-date\titem-status\tsku\titem-price\tbuyer-email",
     amazon_orders,
     {"actor": "buyer-email", "time": "purchase-date", "item": "sku", "amount": "item-price"}),
    ("magento.csv", "ID,Purchase Date,Bill-to Name,Status", magento,
     {"actor": "Bill-to Name", "time": "Purchase Date"}),
    ("order_products.csv", "order_id,product_id,add_to_cart_order,reordered", instacart,
     {"actor": "order_id", "item": "product_id"}),
    ("transaction_data.csv", "household_key,BASKET_ID,DAY,PRODUCT_ID,SALES_VALUE", dunnhumby,
     {"actor": "household_key", "time": "DAY", "item": "PRODUCT_ID", "amount": "SALES_VALUE"}),
    ("payments.csv", "id,Created date (UTC),Amount,Seller Message,Customer ID", stripe,
     {"actor": "Customer ID", "time": "Created date (UTC)", "amount": "Amount"}),
    ("raw_sample.csv", "user,time_stamp,adgroup_id,pid,clk", impressions,
     {"actor": "user", "time": "time_stamp", "item": "adgroup_id"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "header", "line", "roles"), CSVS, ids=[one[0] for one in CSVS])
def test_who_did_what_when_is_found(
    write: Write, name: str, header: str | None, line: Callable[[int], str], roles: dict[str, str]
) -> None:
    lines = [] if header is None else [header]
    found = inspect_log(write("\n".join([*lines, *map(line, range(ROWS))]) + "\n", name))
    assert {role: column for column, role in found.mapping.roles.taken().items()} == roles
    assert (found.quality["read"], found.quality["accepted"]) == (ROWS, ROWS)


@pytest.mark.parametrize("name", ["event_count", "activity_level", "is_guest"])
def test_a_number_that_tells_something_else_gets_no_role(write: Write, name: str) -> None:
    lines = [f"{at(n)},{n % 3},{n % 2 or ''}" for n in range(ROWS)]
    roles = inspect_log(write("\n".join([f"time,{name},user_id", *lines]))).mapping.roles
    assert name not in roles.taken()


def test_a_decimal_comma_in_every_row_is_no_delimiter(write: Write, opened: Open) -> None:
    found = opened(write("user;price\nu1;12,50\nu2;3,99\nu3;7,00\n"))
    assert (found.format.delimiter, found.columns) == (";", ["user", "price"])


def test_a_delimiter_of_two_characters_leaves_quotes_as_they_are(
    write: Write, opened: Open
) -> None:
    found = opened(write('1::"Toy Story" (1995)::Comedy\n2::Jumanji::Adventure\n'))
    assert found.format.delimiter == "::"
    assert found.rows == [("1", '"Toy Story" (1995)', "Comedy"), ("2", "Jumanji", "Adventure")]


@pytest.mark.parametrize("delimiter", ["", "\n", '"'])
def test_a_delimiter_that_parts_nothing_is_refused(delimiter: str) -> None:
    with pytest.raises(BadInput, match=r"format\.delimiter"):
        parse_mapping(json.dumps({"format": {"delimiter": delimiter}}))


# --- times of day in a column of their own


@pytest.mark.parametrize("clock", ["10:05:30", "10:05", "10:05:30.250", "10:05 AM"])
def test_a_date_and_a_time_of_day_are_read_together(write: Write, home: Home, clock: str) -> None:
    path = write(f"user,date,time,page\na,2020-03-01,{clock},x\nb,2020-03-02,,y\na,,10:00:00,z\n")
    mapping = Mapping(roles=Roles(actor="user", time="date"), time=TimeRule(clock="time"))
    found = import_log(home, path, mapping=mapping)
    times = [pd.Timestamp(f"2020-03-01 {clock}", tz="UTC"), pd.Timestamp("2020-03-02", tz="UTC")]
    assert sorted(read_events(home, found.id)["ts"]) == times
    assert found.quality["rejected_by_reason"] == {"no time": 1}


def test_who_keeps_the_clock_for_something_else_gets_dates_only(write: Write) -> None:
    lines = [f"u{n % 5},{at(n):%Y-%m-%d},{at(n):%H:%M}" for n in range(60)]
    path = write("\n".join(["user,date,slot", *lines]))
    assert inspect_log(path).mapping.time.clock == "slot"
    kept = inspect_log(path, mapping=Mapping(columns={"slot": "categorical"}))
    assert kept.mapping.time.clock is None
    assert set(kept.preview["ts"].dt.hour) == {0}


@pytest.mark.parametrize("name", ["slot", "delivery_time"])
def test_a_slot_is_no_time_of_the_event(write: Write, name: str) -> None:
    lines = [f"u{n % 5},{at(90 * n):%Y-%m-%d},{9 + n % 9:02}:00" for n in range(60)]
    assert inspect_log(write("\n".join([f"user,date,{name}", *lines]))).mapping.time.clock is None


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"time": "date", "item": "time"}, "has the role item"),
        ({"item": "date"}, "needs a column of dates"),
    ],
)
def test_a_clock_that_cannot_be_one_is_refused(roles: dict[str, str], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        parse_mapping(json.dumps({"roles": roles, "time": {"clock": "time"}}))


def test_a_clock_that_the_file_does_not_have_is_refused(write: Write) -> None:
    path = write("user,date\na,2020-03-01\na,2020-03-02\n")
    with pytest.raises(BadInput, match="names the column 'clock', which the file does not have"):
        inspect_log(path, mapping=Mapping(roles=Roles(time="date"), time=TimeRule(clock="clock")))


# --- times counted from an unknown start


def criteo(rows: int = 60) -> str:
    lines = [f"{3 * n}\tu{n % 7}\t{n % 5}" for n in range(rows)]
    return "\n".join(["timestamp\tuid\tcampaign", *lines]) + "\n"


def test_numbers_that_grow_count_the_time_from_an_unknown_start(write: Write, home: Home) -> None:
    path = write(criteo(), "criteo.tsv")
    inspected = inspect_log(path)
    assert (inspected.mapping.roles.time, inspected.mapping.time.counts) == ("timestamp", "seconds")
    assert "a start that the log does not say" in inspected.notes[0]
    events = read_events(home, import_log(home, path).id).sort_values("row")
    start = pd.Timestamp("2000-01-01", tz="UTC")
    assert events["ts"].tolist() == [start + pd.Timedelta(seconds=3 * n) for n in range(60)]


def test_the_analyst_says_what_is_counted(write: Write) -> None:
    mapping = Mapping(time=TimeRule(counts="hours"))
    preview = inspect_log(write(criteo(), "criteo.tsv"), mapping=mapping).preview
    u0 = preview.loc[preview["actor_id"] == "u0", "ts"]
    assert u0.iloc[1] - u0.iloc[0] == pd.Timedelta(hours=3 * 7)


@pytest.mark.parametrize(("name", "unit"), [("day", "days"), ("hour", "hours"), ("t", "seconds")])
def test_a_name_tells_what_is_counted(write: Write, name: str, unit: str) -> None:
    path = write(criteo().replace("timestamp", f"{name}_ts"))
    assert inspect_log(path).mapping.time.counts == unit


def test_days_since_1900_are_dates_of_a_spreadsheet(write: Write, home: Home) -> None:
    days = [f"{43045 + n % 9 + n / 48:.5f}".replace(".", ",") for n in range(60)]
    path = write("\n".join(["Datum;Kunde", *(f"{day};K{n % 7}" for n, day in enumerate(days))]))
    inspected = inspect_log(path)
    assert inspected.mapping.time.counts == "days since 1900"
    assert "so spreadsheets write dates" in inspected.notes[0]
    events = read_events(home, import_log(home, path).id).sort_values("row")
    assert events["ts"].iloc[0] == pd.Timestamp("2017-11-06", tz="UTC")
    assert events["ts"].iloc[13].round("s") == pd.Timestamp("2017-11-10 06:30", tz="UTC")


@pytest.mark.parametrize("number", ["1e300", "nan", "1e10", "soon"])
def test_what_counts_nothing_is_an_unreadable_time(write: Write, home: Home, number: str) -> None:
    found = import_log(home, write(criteo() + f"{number}\tu1\t2\n", "criteo.tsv"))
    assert (found.accepted, found.rejected) == (60, 1)


def test_numbers_that_do_not_grow_are_no_time(write: Write) -> None:
    lines = ["time,user"] + [f"{n * 37 % 60},u{n % 7}" for n in range(60)]
    assert inspect_log(write("\n".join(lines))).mapping.roles.time is None


# --- objects that hold their events


def otto() -> Iterator[dict[str, Any]]:
    for session in range(30):
        events = [
            {"aid": some(90), "ts": 1661724000278 + 1000 * n, "type": one_of("clicks", "carts")}
            for n in range(1 + session % 7)
        ]
        yield {"session": session, "events": events}


def test_each_event_of_a_session_is_a_row(write: Write, home: Home) -> None:
    sessions = list(otto())
    path = write("\n".join(map(json.dumps, sessions)), "otto.jsonl")
    inspected = inspect_log(path)
    assert inspected.format.each == "events"
    assert inspected.mapping.roles == Roles(
        actor="session", time="events.ts", action="events.type", item="events.aid"
    )
    found = import_log(home, path)
    events = read_events(home, found.id)
    told = [(str(one["session"]), str(event["aid"])) for one in sessions for event in one["events"]]
    assert sorted(zip(events["actor_id"], events["item"], strict=True)) == sorted(told)


def test_an_array_of_sessions_is_read_the_same_way(write: Write, opened: Open) -> None:
    sessions = [
        {"id": "s1", "start": "2020-01-01T10:00:00", "user": {"id": "u1"}, "events": [
            {"time": "2020-01-01T10:00:00", "name": "view"},
            {"time": "2020-01-01T10:00:05", "name": None},
        ]},
        {"id": "s2", "start": "2020-01-01T11:00:00", "user": {"id": "u2"}, "events": []},
        {"id": "s3", "start": "2020-01-01T12:00:00", "user": {"id": "u3"}},
    ]  # fmt: skip
    found = opened(write(json.dumps(sessions, indent=2), "sessions.json"))
    assert found.columns == ["id", "start", "user.id", "events.time", "events.name"]
    assert found.rows == [
        ("s1", "2020-01-01T10:00:00", "u1", "2020-01-01T10:00:00", "view"),
        ("s1", "2020-01-01T10:00:00", "u1", "2020-01-01T10:00:05", None),
        ("s2", "2020-01-01T11:00:00", "u2", None, None),
        ("s3", "2020-01-01T12:00:00", "u3", None, None),
    ]


def test_lines_that_are_no_json_stay_where_they_are_among_the_events(
    write: Write, opened: Open
) -> None:
    good = '{"user": 1, "events": [{"ts": "2020-01-01"}, {"ts": "2020-01-02"}]}'
    found = opened(write(f"{good}\n{{broken\n{good}\n", "log.jsonl"))
    assert [cells[0] for cells in found.rows] == ["1", "1", "1", "1"]
    assert found.refused == [(2, "not valid JSON", "{broken")]


@pytest.mark.parametrize(
    "line",
    [
        '{"order": 1, "at": "2020-01-01", "items": [{"sku": "a"}, {"sku": "b"}]}',
        '{"order": 1, "paid_at": "2020-01-01", "history": [{"to": "sent", "on": "2020-01-02"}]}',
        '{"user": 1, "ts": 1600000000, "events": [1, 2]}',
    ],
)
def test_a_list_that_is_part_of_one_event_stays_whole(write: Write, line: str) -> None:
    assert inspect_log(write(f"{line}\n{line}\n", "log.jsonl")).format.each is None


def test_the_analyst_may_say_which_list_holds_the_events_or_that_none_does(
    write: Write, opened: Open
) -> None:
    line = '{"user": 1, "events": [{"ts": "2020-01-01"}], "sold": [{"sku": "a"}, {"sku": "b"}]}'
    path = write(f"{line}\n{line}\n", "log.jsonl")
    sold = opened(path, format=Format(kind="jsonl", each="sold"))
    assert (sold.columns, len(sold.rows)) == (["user", "events", "sold.sku"], 4)
    assert len(opened(path, format=Format(kind="jsonl", each=None)).rows) == 2
    with pytest.raises(BadInput, match=r"elements of the list 'odd\.\"key' for events"):
        opened(path, format=Format(kind="jsonl", each='odd."key'))


def test_lists_of_events_in_parquet_are_parted_too(tmp_path: Path, opened: Open) -> None:
    path = tmp_path / "otto.parquet"
    sessions = [*otto(), {"session": 99, "events": []}]
    pd.DataFrame(sessions).to_parquet(path)
    found = opened(path)
    assert found.format.each == "events"
    assert found.columns == ["session", "events.aid", "events.ts", "events.type"]
    told = [
        (str(one["session"]), *map(str, event.values()))
        for one in sessions
        for event in one["events"]
    ]
    assert found.rows == [*told, ("99", None, None, None)]
    assert len(opened(path, format=Format(kind="parquet", each=None)).rows) == len(sessions)
    with pytest.raises(BadInput, match="the list 'session' for events, which the file does not"):
        opened(path, format=Format(kind="parquet", each="session"))


# --- web servers that name their fields

IIS = """#Software: Microsoft Internet Information Services 10.0
#Version: 1.0
#Date: 2024-03-07 09:00:00
#Fields: date time s-ip cs-method cs-uri-stem cs-username c-ip cs(User-Agent) sc-status
2024-03-07 09:00:01 10.0.0.1 GET /product/1 - 192.168.0.7 Mozilla/5.0+(X11) 200
2024-03-07 09:00:02 10.0.0.2 POST /cart - 192.168.0.8 Mozilla/5.0+(X11) 200
#Fields: date time s-ip cs-method cs-uri-stem cs-username c-ip cs(User-Agent) sc-status
2024-03-07 09:00:03 10.0.0.1 GET /product/2 - 192.168.0.7 Mozilla/5.0+(X11)
2024-03-07 09:00:04 10.0.0.1 GET /product/3 anna 192.168.0.7 Mozilla/5.0+(X11) 304
"""


@pytest.mark.parametrize("delimiter", [" ", "\t"])
def test_an_extended_access_log_is_read(write: Write, opened: Open, delimiter: str) -> None:
    lines = [
        line if line.startswith("#") else line.replace(" ", delimiter) for line in IIS.splitlines()
    ]
    path = write("\n".join(lines), "u_ex240307.log")
    found = opened(path)
    assert found.format.kind == "access_log"
    named = (
        "date time server-ip cs-method cs-uri-stem cs-username client-ip cs(User-Agent) sc-status"
    )
    assert found.columns == named.split()
    assert [row[4:7] for row in found.rows] == [
        ("/product/1", None, "192.168.0.7"),
        ("/cart", None, "192.168.0.8"),
        ("/product/3", "anna", "192.168.0.7"),
    ]
    assert [(line, why) for line, why, _ in found.refused] == [(8, "8 fields instead of 9")]
    mapping = inspect_log(path).mapping
    assert mapping.roles == Roles(
        actor="client-ip", time="date", action="cs-method", item="cs-uri-stem"
    )
    assert mapping.time.clock == "time"
