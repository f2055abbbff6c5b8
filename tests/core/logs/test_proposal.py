from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from core.errors import BadInput
from core.logs.mapping import Format, Mapping, Roles
from core.logs.proposal import inspect_log

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
        "type", "example", "missing", "distinct", "role_or_kind", "reason",
    ]  # fmt: skip
    ignored = columns[columns["role_or_kind"] == "ignore"]["reason"]
    assert ignored.to_dict() == {
        "currency": "the same in every row",
        "referrer_key": "different in every row: nothing to learn from",
        "old": "empty",
        "is_fraud": "named like a label; attach labels after the import",
        "refunded_time": "a time that only 2.0% of rows have: looks like an outcome",
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
