from collections.abc import Callable
from pathlib import Path

import pytest

from core.logs.frames import read_events, read_mapping
from core.logs.importing import import_log
from core.logs.mapping import Mapping
from core.store.home import Home

Write = Callable[..., Path]

GIVEN = Mapping.model_validate(
    {
        "roles": {"actor": "user", "item": "item", "amount": "price"},
        "format": {"kind": "csv", "header": True, "delimiter": ";"},
    }
)


def log_of(values: list[str]) -> str:
    rows = [f"u1;i1;{value}" for value in values]
    return "\n".join(["user;item;price", *rows]) + "\n"


def amounts(home: Home, dataset_id: str) -> list[float]:
    return read_events(home, dataset_id).sort_values("row")["amount"].tolist()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["12,50", "0,125", "1,999", "1.234,56", "1.999", "7"],
         [12.5, 0.125, 1.999, 1234.56, 1999, 7]),
        (["12.50", "0.125", "1,999", "1,234.56", "1.999", "1,234,567"],
         [12.5, 0.125, 1999, 1234.56, 1.999, 1234567]),
        (["1,999", "2,500"], [1999, 2500]),
        (["1.999", "2.5"], [1.999, 2.5]),
        (["0,125", "1.234,56", "5,5", "12.50", "1,999.00", "3.5"],
         [0.125, 1234.56, 5.5, 12.5, 1999, 3.5]),
        (["1\u00a0234,56", "1\u202f234,5", "1 234,5"], [1234.56, 1234.5, 1234.5]),
        (["\u22125.5", "(5.00)", "-0.5"], [-5.5, -5, -0.5]),
        (["1'234.56", "1\u2019234\u2019567"], [1234.56, 1234567]),
        (["5 kr", "USD 5", "€ 5", "5,00 €", "R$ 1.234,50", "5zł", "5 %", "US$5", "5 kr."],
         [5, 5, 5, 5, 1234.5, 5, 5, 5, 5]),
        (["1,23,456.00", "1e3", "2.5"], [123456, 1000, 2.5]),
    ],
)  # fmt: skip
def test_numbers_are_read_as_their_column_writes_them(
    home: Home, write: Write, written: list[str], read: list[float]
) -> None:
    assert amounts(home, import_log(home, write(log_of(written)), mapping=GIVEN).id) == read


def test_what_cannot_be_read_as_a_number_is_counted_and_told(home: Home, write: Write) -> None:
    values = ["1", "two", "", "3,4,5", "u17", "two"]
    first = import_log(home, write(log_of(values)), mapping=GIVEN)
    assert first.quality["unread"] == {"price": {"values": 4, "example": "two"}}
    said = "price: 4 values could not be read as numbers, such as 'two'. They count as missing."
    assert said in first.quality["notes"]
    again = import_log(home, write(log_of([*values, "free", "2"])), into=first.id)
    assert again.quality["unread"] == {"price": {"values": 5, "example": "two"}}
    assert import_log(home, write(log_of(["1", "2"]), "b.csv"), mapping=GIVEN).quality[
        "unread"
    ] == {}  # fmt: skip


def test_what_is_added_is_read_as_the_first_file_was(home: Home, write: Write) -> None:
    first = import_log(home, write(log_of(["12,50", "0,5"])), mapping=GIVEN)
    assert read_mapping(home, first.id).decimal_comma == ["price"]
    grown = import_log(home, write(log_of(["1,999", "2,500"]), "more.csv"), into=first.id)
    assert amounts(home, grown.id) == [12.5, 0.5, 1.999, 2.5]


def test_the_whole_column_decides_where_its_beginning_leaves_it_open(
    home: Home, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.logs.profiling._SAMPLE_CELLS", 1)
    values = ["1,999"] * 1001 + ["12,50"]
    dataset = import_log(home, write(log_of(values)), mapping=GIVEN)
    assert amounts(home, dataset.id)[-2:] == [1.999, 12.5]
