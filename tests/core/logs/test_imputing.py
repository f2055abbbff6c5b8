from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadInput
from core.logs.frames import read_events
from core.logs.importing import import_log
from core.logs.mapping import Mapping
from core.logs.proposal import inspect_log
from core.store.home import Home

Write = Callable[..., Path]
LOG = (
    "time,user,item,price,weight\n"
    "2024-01-01,u1,a,10,1\n"
    "2024-01-02,u1,a,20,\n"
    "2024-01-03,u1,a,60,3\n"
    "2024-01-04,u1,a,,3\n"
    "2024-01-05,u1,b,,cheap\n"
    "2024-01-06,u1,,,4\n"
)
ROLES = {"actor": "user", "time": "time", "item": "item", "amount": "price"}


def mapping(**impute: str) -> Mapping:
    given: dict[str, Any] = {"roles": ROLES, "columns": {"weight": "numeric"}, "impute": impute}
    return Mapping.model_validate(given)


def filled(home: Home, path: Path, column: str, **impute: str) -> list[Any]:
    dataset = import_log(home, path, mapping=mapping(**impute))
    events = read_events(home, dataset.id)
    return [None if value != value else value for value in events[column]]


def test_missing_numbers_stay_missing_unless_asked(home: Home, write: Write) -> None:
    assert filled(home, write(LOG), "amount") == [10, 20, 60, None, None, None]


def test_the_median_fills_what_is_missing(home: Home, write: Write) -> None:
    assert filled(home, write(LOG), "amount", price="median") == [10, 20, 60, 20, 20, 20]
    assert filled(home, write(LOG), "weight", weight="median") == [1, 3, 3, 3, 3, 4]


def test_the_items_median_falls_back_to_everybodys(home: Home, write: Write) -> None:
    path = write(LOG + "2024-01-07,u1,c,100,\n2024-01-08,u1,c,100,\n2024-01-09,u1,c,,\n")
    prices = filled(home, path, "amount", price="item_median")
    assert prices == [10, 20, 60, 20, 60, 60, 100, 100, 100]


def test_facts_are_computed_from_what_was_filled_in(home: Home, write: Write) -> None:
    assert filled(home, write(LOG), "amount_vs_item", price="median")[3] is None  # no others yet
    path = write(LOG + "2024-01-07,u2,a,,\n")
    assert filled(home, path, "amount_vs_item", price="median")[-1] == round(20 / 27.5, 6)


def test_the_report_says_what_was_filled_in_and_what_was_missing(home: Home, write: Write) -> None:
    quality = import_log(home, write(LOG), mapping=mapping(price="median")).quality
    assert quality["filled"] == {"price": {"by": "median", "values": 3}}
    assert quality["missing"]["price"] == 0.5
    assert (
        "Filled in, as the mapping asks: 3 missing values of price by the median."
        in (quality["notes"])
    )


def test_a_look_shows_what_would_be_filled_in(write: Write) -> None:
    found = inspect_log(write(LOG), mapping=mapping(price="item_median"))
    assert found.preview["amount"].tolist() == [10, 20, 60, 20, 20, 20]
    assert found.quality["filled"] == {"price": {"by": "item_median", "values": 3}}


def test_a_column_without_any_number_is_left_alone(write: Write) -> None:
    path = write("time,user,item,price,weight\n2024-01-01,u1,a,,\n2024-01-02,u1,a,,\n")
    quality = inspect_log(path, mapping=mapping(price="median")).quality
    assert quality["filled"] == {"price": {"by": "median", "values": 0}}
    assert quality["missing"]["price"] == 1


def test_a_column_that_is_not_there_cannot_be_filled(home: Home, write: Write) -> None:
    with pytest.raises(BadInput, match=r"'size', which the file does not have"):
        import_log(home, write(LOG), mapping=mapping(size="median"))
