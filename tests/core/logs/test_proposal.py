from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from core.errors import BadInput
from core.logs.guessing import LIKELY, SURE, UNSURE
from core.logs.mapping import Format, Mapping, Roles, SequenceRule, TimeRule
from core.logs.proposal import inspect_log
from core.logs.vocabulary import words_of

Write = Callable[..., Path]


def proposed(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return role -> column and column -> kind."""
    mapping = inspect_log(path).mapping
    return {role: name for name, role in mapping.roles.taken().items()}, dict(mapping.columns)


def shop_log(rows: int = 300) -> pd.DataFrame:
    numbers = range(rows)
    return pd.DataFrame(
        {
            "eventID": [f"e{n}" for n in numbers],
            "Timestamp": [1_600_000_000_000 + 1000 * n for n in numbers],
            "customerId": [10_000 + n % 40 for n in numbers],
            "visit": [f"v{n % 80}" for n in numbers],
            "event_type": [["view", "cart", "buy"][n % 3] for n in numbers],
            "sku": [f"s{n % 90}" for n in numbers],
            "total_price": [n % 50 + 0.5 for n in numbers],
            "quantity": [n % 4 + 1 for n in numbers],
            "ip": [f"10.0.0.{n % 30}" for n in numbers],
            "coupon": [f"c{n % 5}" if n % 2 else None for n in numbers],
            "country": ["DE" if n % 3 else "FR" for n in numbers],
            "category_id": [n % 12 for n in numbers],
            "comment": [f"this is comment number {n % 150}" for n in numbers],
            "email": [f"a{n % 40}@b.c" for n in numbers],
            "currency": ["EUR" for _ in numbers],
            "referrer_key": [f"x{n:05}" for n in numbers],
            "old": [None for _ in numbers],
            "is_fraud": [int(n % 50 == 0) for n in numbers],
            "refunded_time": ["2020-10-01" if n % 50 == 1 else None for n in numbers],
            "is_refunded": [int(n % 50 == 1) for n in numbers],
        }
    )


def test_roles_and_kinds_are_proposed_by_name_and_content(tmp_path: Path) -> None:
    shop_log().to_csv(tmp_path / "log.csv", index=False)
    roles, kinds = proposed(tmp_path / "log.csv")
    assert roles == {
        "actor": "customerId",
        "session": "visit",
        "time": "Timestamp",
        "action": "event_type",
        "item": "sku",
        "amount": "total_price",
        "event_id": "eventID",
    }
    assert kinds == {
        "quantity": "numeric",
        "ip": "entity",
        "coupon": "entity",
        "country": "categorical",
        "category_id": "categorical",
        "comment": "text",
        "email": "personal",
        "currency": "ignore",
        "referrer_key": "ignore",
        "old": "ignore",
        "is_fraud": "ignore",
        "refunded_time": "ignore",
        "is_refunded": "ignore",
    }


def test_what_is_ignored_says_why(tmp_path: Path) -> None:
    shop_log().to_csv(tmp_path / "log.csv", index=False)
    columns = inspect_log(tmp_path / "log.csv").columns.set_index("name")
    assert columns.columns.tolist() == [
        "type", "example", "missing", "distinct", "role_or_kind", "reason", "confidence",
    ]  # fmt: skip
    ignored = columns[columns["role_or_kind"] == "ignore"]["reason"]
    assert ignored.to_dict() == {
        "currency": "the same in every row",
        "referrer_key": "different in every row: nothing to learn from",
        "old": "empty",
        "is_fraud": "named like a label; attach labels after the import",
        "refunded_time": "a time that only 2.0 % of rows have: looks like an outcome",
        "is_refunded": "says whether 'refunded_time' is filled: looks like a label",
    }
    assert columns.loc["Timestamp", "type"] == "whole number"
    assert columns.loc["coupon", "missing"] == 0.5


def test_the_preview_shows_the_first_canonical_events(tmp_path: Path) -> None:
    shop_log().to_csv(tmp_path / "log.csv", index=False)
    found = inspect_log(tmp_path / "log.csv")
    assert len(found.preview) == 10
    assert found.preview["row"].min() == 1
    assert found.preview["ts"].iloc[0] == pd.Timestamp("2020-09-13 12:26:40", tz="UTC")
    assert found.quality["accepted"] == 300


def test_a_look_at_a_log_without_actor_says_what_is_missing(write: Write) -> None:
    found = inspect_log(write("x,y\n1.5,2\n2.5,3\n"))
    assert found.preview.empty
    assert found.mapping.roles == Roles()
    assert "says who acts" in found.quality["problem"]


def test_a_mapping_is_respected_and_the_rest_proposed_from_other_columns(write: Write) -> None:
    path = write("user,shop,time\n" + "u1,s1,1600000000\nu2,s1,1600000001\n" * 5)
    mapping = inspect_log(path, mapping=Mapping(roles=Roles(actor="shop"))).mapping
    assert mapping.roles == Roles(actor="shop", time="time")
    assert mapping.columns == {"user": "entity"}


def test_a_look_with_a_wrong_column_is_refused(write: Write) -> None:
    with pytest.raises(BadInput, match="'shop'"):
        inspect_log(write("user,item\nu1,a\n"), mapping=Mapping(roles=Roles(actor="shop")))


def chinese_log(rows: int = 300) -> pd.DataFrame:
    numbers = range(rows)
    start = pd.Timestamp("2019-10-01 08:00")
    return pd.DataFrame(
        {
            "注册日期": [f"20{n % 19:02}-03-04" for n in numbers],
            "下单时间": [
                f"{t.year}年{t.month}月{t.day}日 {t:%H:%M}"
                for t in (start + pd.Timedelta(minutes=n) for n in numbers)
            ],
            "用户标签": [f"t{n % 4}" for n in numbers],
            "用户ID": [10_000 + n % 40 for n in numbers],
            "會話": [f"v{n % 80}" for n in numbers],
            "行为类型": [["浏览", "加购", "下单"][n % 3] for n in numbers],
            "商品编号": [f"s{n % 90}" for n in numbers],
            "商品名称": [f"杯子{n % 90}" for n in numbers],
            "金額": [n % 50 + 0.5 for n in numbers],
            "店铺": [f"m{n % 9}" for n in numbers],
            "手机": [f"1380000{n % 40:04}" for n in numbers],
            "收貨地址": [f"街{n % 40}" for n in numbers],
            "设备号": [f"d{n % 30}" for n in numbers],
            "省份": ["浙江" if n % 3 else "广东" for n in numbers],
            "類目": [n % 12 for n in numbers],
            "标签": [int(n % 50 == 0) for n in numbers],
        }
    )


def test_a_chinese_shop_log_is_understood(tmp_path: Path) -> None:
    chinese_log().to_csv(tmp_path / "log.csv", index=False)
    roles, kinds = proposed(tmp_path / "log.csv")
    assert roles == {
        "actor": "用户ID",
        "session": "會話",
        "time": "下单时间",
        "action": "行为类型",
        "item": "商品编号",
        "amount": "金額",
    }
    assert kinds == {
        "注册日期": "ignore",
        "用户标签": "categorical",
        "商品名称": "categorical",
        "店铺": "entity",
        "手机": "personal",
        "收貨地址": "personal",
        "设备号": "entity",
        "省份": "categorical",
        "類目": "categorical",
        "标签": "ignore",
    }


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("userID", ["user", "id"]),
        ("user_id用户", ["user", "id"]),
        ("買家會員編號", ["buyer", "member", "id"]),
        ("商品單價(元)", ["item", "price"]),
        ("訂單號", ["order", "id"]),
        ("手机型号", ["model"]),
        ("電子郵件", ["email"]),
        ("无", []),
    ],
)
def test_names_are_split_into_english_words(name: str, words: list[str]) -> None:
    assert words_of(name) == words


def test_every_guess_says_why_and_how_sure(write: Write) -> None:
    rows = "".join(f"u{n % 7},{1600000000 + n},pv,{n % 3},{n}.5\n" for n in range(60))
    columns = inspect_log(write(f"user,time,b,c,price\n{rows}")).columns.set_index("name")
    told = columns[["role_or_kind", "reason", "confidence"]].to_numpy().tolist()
    assert told == [
        ["actor", "named like 'user', and its values come back", SURE],
        [
            "time",
            "named like 'time', and 100 % of its values are times that grow with the rows",
            SURE,
        ],
        ["action", "no name says it; the values look like actions", LIKELY],
        ["numeric", "whole numbers, but so few different ones may be codes", UNSURE],
        ["amount", "named like 'price', and holds numbers", SURE],
    ]


def test_what_the_analyst_decided_is_certain(write: Write) -> None:
    path = write("user,shop\n" + "u1,s1\nu2,s1\n" * 5)
    given = Mapping(roles=Roles(actor="shop"), columns={"user": "ignore"})
    columns = inspect_log(path, mapping=given).columns
    assert columns["reason"].tolist() == ["as the mapping says"] * 2
    assert columns["confidence"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("header", "time"),
    [
        ("user,birth_date,at", "at"),  # one grows with the rows, the other is of something else
        ("user,birth_date,y", "y"),
        ("user,x,y", "y"),  # no name says when; one grows
        ("user,x,event_time", "event_time"),
        ("user,event_time,y", "event_time"),  # though the rows are not in its order
        ("user,created_at,event_time", "event_time"),
    ],
)
def test_the_time_of_the_event_is_told_from_others(write: Write, header: str, time: str) -> None:
    rows = "".join(
        f"u{n % 5},{1960 + 7 * n % 50}-0{1 + n % 9}-11,2020-01-01 10:{n:02}:00\n" for n in range(60)
    )
    assert inspect_log(write(f"{header}\n{rows}")).mapping.roles.time == time


def test_times_that_would_do_as_well_make_the_guess_unsure(write: Write) -> None:
    row = "u{0},2020-01-01 10:{1:02}:00,2020-01-01 11:{1:02}:00\n"
    rows = "".join(row.format(n % 5, n) for n in range(60))
    columns = inspect_log(write(f"user,start_time,end_time\n{rows}")).columns.set_index("name")
    assert columns.loc["start_time", "role_or_kind"] == "time"
    assert columns.loc["start_time", "reason"].endswith("; 'end_time' would do as well")
    assert columns.loc["start_time", "confidence"] == UNSURE


def dated(*dates: str) -> str:
    return "user,date\n" + "".join(f"u{n % 3},{date}\n" for n, date in enumerate(dates * 4))


@pytest.mark.parametrize(
    ("dates", "day_first", "notes"),
    [
        (["01/02/2019", "13/02/2019"], True, 0),
        (["01/02/2019", "02/13/2019"], False, 0),
        (["01/02/2019", "02/03/2019"], False, 1),
        (["01.02.2019", "02.03.2019"], True, 1),
        (["2019-02-01", "2019-03-02"], False, 0),
    ],
)
def test_whether_the_day_comes_first_is_proposed_or_said_to_be_open(
    write: Write, dates: list[str], day_first: bool, notes: int
) -> None:
    found = inspect_log(write(dated(*dates)))
    assert found.mapping.time == TimeRule(day_first=day_first)
    assert len(found.notes) == notes
    assert all("can be read in two ways" in note for note in found.notes)
    assert found.quality["rejected"] == 0


def test_a_date_far_below_the_beginning_tells_the_day_too(write: Write) -> None:
    found = inspect_log(write(dated(*["01/02/2019"] * 21_000, "13/02/2019")))
    assert (found.mapping.time.day_first, found.notes) == (True, [])


def test_what_is_said_about_times_is_kept_and_the_rest_proposed(write: Write) -> None:
    path = write(dated("13/02/2019 10:00"))
    given = Mapping(time=TimeRule(zone="Asia/Shanghai"))
    found = inspect_log(path, mapping=given)
    assert found.mapping.time == TimeRule(zone="Asia/Shanghai", day_first=True)
    assert found.preview["ts"].iloc[0] == pd.Timestamp("2019-02-13 02:00", tz="UTC")
    other = Mapping(time=TimeRule(day_first=False))
    assert inspect_log(path, mapping=other).mapping.time == TimeRule()


@pytest.mark.parametrize(
    ("rule", "lengths"),
    [
        (SequenceRule(by="session"), {1: 1, 2: 3}),
        (SequenceRule(by="gap", gap_minutes=10), {1: 1, 3: 2}),
        (SequenceRule(by="gap", gap_minutes=9.9), {1: 2, 2: 1, 3: 1}),
        (SequenceRule(by="actor", max_events=2), {3: 1, 4: 1}),
        (SequenceRule(by="window", max_events=2), {3: 1, 4: 1}),
    ],
)
def test_lengths_are_those_of_whole_sequences(
    write: Write, rule: SequenceRule, lengths: dict[int, int]
) -> None:
    path = write(
        "user,session,time\n"
        "a,s1,2020-01-01 10:00\na,s1,2020-01-01 10:05\na,s2,2020-01-01 10:06\n"
        "a,s2,2020-01-01 11:00\nb,s1,2020-01-01 10:06\nb,s3,2020-01-01 10:16\n"
        "b,s3,2020-01-01 10:16\n"
    )
    assert inspect_log(path, mapping=Mapping(sequence=rule)).lengths == lengths


REAL = [
    (
        "rees46_shop/events.csv.gz",
        {"actor": "user_id", "session": "user_session", "time": "event_time",
         "action": "event_type", "item": "product_id", "amount": "price"},
        {"category_id": "categorical", "category_code": "categorical", "brand": "categorical"},
    ),
    (
        "trivago_sessions/events.parquet",
        {"actor": "user_id", "session": "session_id", "time": "timestamp",
         "action": "action_type", "item": "reference"},
        {"step": "numeric", "platform": "categorical", "city": "categorical",
         "device": "categorical", "current_filters": "text", "impressions": "ignore",
         "prices": "ignore"},
    ),
    (
        "hdfs_sessions/events.parquet",
        {"actor": "seq_id", "time": "timestamp", "action": "template"},
        {"component": "categorical"},
    ),
    (
        "shopee_orders/orders.csv.gz",
        {"actor": "userid", "time": "event_time", "item": "shopid"},
        {"orderid": "ignore"},
    ),
    (
        "cdnow/purchases.txt.gz",
        {"actor": "customer_id", "time": "date", "amount": "dollar_value"},
        {"number_of_cds": "numeric"},
    ),
    (
        "amazon_reviewers/ratings.txt",
        {"actor": "column_1", "item": "column_2"},
        {"column_3": "numeric"},
    ),
    (
        "ad_clicks/clicks.csv.gz",
        {"actor": "ip", "time": "click_time"},
        {"app": "categorical", "device": "categorical", "os": "categorical",
         "channel": "categorical", "attributed_time": "ignore", "is_attributed": "ignore"},
    ),
]  # fmt: skip


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "roles", "kinds"), REAL)
def test_a_real_log_is_understood(
    real: Callable[[str], Path], name: str, roles: dict[str, str], kinds: dict[str, str]
) -> None:
    assert proposed(real(name)) == (roles, kinds)


@pytest.mark.realdata
def test_the_layout_of_aligned_text_is_found(real: Callable[[str], Path]) -> None:
    assert inspect_log(real("cdnow/purchases.txt.gz")).format == Format(
        kind="csv", header=True, delimiter=" ", encoding="utf-8"
    )
