from collections.abc import Callable
from pathlib import Path

import pytest

from core.logs.mapping import Mapping
from core.logs.proposal import inspect_log

Write = Callable[..., Path]
MAPPING = Mapping.model_validate({"roles": {"amount": None}, "columns": {"value": "numeric"}})


def outliers(write: Write, values: list[float]) -> dict:
    rows = [
        f"u{n % 5},2024-01-01 00:{n // 60 % 60:02}:{n % 60:02},{v}\n" for n, v in enumerate(values)
    ]
    quality = inspect_log(write("user,time,value\n" + "".join(rows)), mapping=MAPPING).quality
    return quality["outliers"]["value"]


def test_a_price_typed_without_its_comma_is_an_outlier(write: Write) -> None:
    prices = [round(10 + number % 20 * 0.5, 2) for number in range(400)]  # 10 to 19.50
    found = outliers(write, [*prices, 1499.0])
    assert found["outliers"] == 1
    assert found["scale"] == "log"
    assert found["examples"] == [{"value": 1499.0, "row": 401}]
    assert (found["lowest"], found["highest"]) == (10.0, 1499.0)
    assert found["high"] < 1499 < 100 * found["low"] * 10


def test_bounds_are_six_robust_deviations_from_the_median(write: Write) -> None:
    values = [float(value) for value in range(-100, 101)]  # median 0, median deviation 50
    found = outliers(write, [*values, 444.0, 445.0])  # median 1, median deviation 51
    assert found["scale"] == "linear"
    assert found["low"] == pytest.approx(1 - 6 * 1.4826 * 51)
    assert found["high"] == pytest.approx(1 + 6 * 1.4826 * 51)
    assert outliers(write, [*values, 444.0, 456.0])["outliers"] == 1


def test_rare_zeros_among_prices_are_outliers_and_frequent_ones_are_not(write: Write) -> None:
    prices = [20.0 + number % 30 for number in range(400)]
    assert outliers(write, [*prices, 0.0])["outliers"] == 1
    found = outliers(write, [*prices, *[0.0] * 40, 99_999.0])
    assert (found["low"], found["outliers"]) == (None, 1)


def test_where_most_values_are_the_same_only_another_size_is_far(write: Write) -> None:
    found = outliers(write, [1.0] * 300 + [2.0, 3.0, 9.0, 11.0])
    assert found["high"] == pytest.approx(10)
    assert found["examples"] == [{"value": 11.0, "row": 304}]


def test_ratings_have_no_outliers(write: Write) -> None:
    assert outliers(write, [5.0] * 200 + [4.0] * 60 + [3.0] * 20 + [1.0] * 2)["outliers"] == 0


def test_many_values_are_judged_by_a_part_of_them(write: Write, monkeypatch) -> None:
    monkeypatch.setattr("core.logs.outliers._SAMPLE", 100)
    found = outliers(write, [10.0 + number % 20 for number in range(2000)] + [1e6])
    assert found["outliers"] == 1


def test_a_column_without_numbers_has_no_bounds(write: Write) -> None:
    found = outliers(write, ["x", "y", ""])
    assert (found["outliers"], found["low"], found["high"]) == (0, None, None)
