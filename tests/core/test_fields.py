import numpy as np
import pandas as pd
import pytest

from core.fields import MAX_VALUES, MIN_COUNT, Field, Kind, fit, relative_ids


def field(name: str, kind: Kind, words: str) -> Field:
    return fit(Field(name, name, "event", kind, words), pd.Series(["cart"] * 9))


@pytest.mark.parametrize(
    ("kind", "name", "words", "token", "said"),
    [
        ("seconds", "gap", "{value} since the previous event", "gap<1s",
         "under 1s since the previous event"),
        ("count", "items", "{value} different items", "items=1", "1 different item"),
        ("count", "items", "{value} different items", "items~3-4", "3-4 different items"),
        ("count", "count_cart", "{value} times cart", "count_cart=0", "no cart"),
        ("count", "burst", "{value} events within a minute", "burst=1", "1 event within a minute"),
        ("ratio", "top_share", "{value} of events are the same action", "top_share~0.2-0.3",
         "20-30 % of events are the same action"),
        ("ratio", "top_share", "{value} of events are the same action", "top_share~1-1.25",
         "all of events are the same action"),
        ("ratio", "ratio_1h", "{value} events per buyer", "ratio_1h~3-4", "3-4 events per buyer"),
        ("category", "action", "the action is {value}", "action=cart", "the action is cart"),
        ("category", "action", "the action is {value}", "action=other",
         "the action is a rare value"),
        ("category", "coupon_code", "{value}", "coupon_code=missing", "coupon code is missing"),
    ],
)  # fmt: skip
def test_a_token_is_said_in_plain_words(
    kind: Kind, name: str, words: str, token: str, said: str
) -> None:
    one = field(name, kind, words)
    assert token in one.tokens()
    assert one.sentence(token) == said


def test_ranges_below_zero_are_read_without_a_double_sign() -> None:
    one = Field("step", "step", "event", "number", "step {value}", edges=(-12.0, -9.5, 3.0))
    said = [one.sentence(token) for token in one.tokens()]
    assert {"step under -12", "step -12 to -9.5", "step -9.5 to 3", "step at least 3"} <= set(said)


def test_a_value_that_reads_like_other_makes_no_second_token() -> None:
    column = pd.Series(["other"] * 9 + ["missing"] * 9 + ["cart"] * 9)
    one = fit(Field("action", "action", "event", "category", "{value}"), column)
    assert one.tokens() == ["action=missing", "action=other", "action=cart"]


def test_which_of_equally_frequent_values_have_tokens_does_not_depend_on_their_order() -> None:
    most = MAX_VALUES["category"]
    values = [f"v{number:05}" for number in range(most + 50)] * MIN_COUNT["category"]
    kinds = (
        fit(field("action", "category", "{value}"), pd.Series(one))
        for one in (values, values[::-1])
    )
    assert {one.values for one in kinds} == {tuple(sorted(set(values))[:most])}


def test_numbers_far_from_zero_keep_their_differences() -> None:
    years = fit(Field("year", "year", "event", "number", "{value}"), pd.Series(range(1990, 2020)))
    assert len(years.edges) == 11
    large = pd.Series([1690000000001.0, 1690000000002.0])
    assert len(set(fit(Field("n", "n", "event", "number", "{value}"), large).tokens())) == 4


def number(*values: float) -> Field:
    return fit(Field("price", "price", "event", "number", "{value}"), pd.Series(values))


def test_numbers_that_print_alike_are_one_value() -> None:
    means = (9.989999999999998, 9.99, 9.990000000000002)
    one = number(*means, 59.7, 59.699999999999996, 0.0, -0.0)
    assert one.tokens() == ["price=missing", "price<0", "price=0", "price=9.99", "price=59.7"]
    assert one.encode(pd.Series([*means, 59.7, 59.699999999999996, -0.0])).tolist() == [
        3, 3, 3, 4, 4, 2,
    ]  # fmt: skip
    many = number(*np.repeat(means, 9), *range(100, 120))  # some quantiles print alike
    assert max(map(len, many.tokens())) <= len("price~9.99-123"), "as few digits as tell them apart"


def test_the_largest_numbers_there_are_have_ranges_too() -> None:
    few, many = number(1.7e308, -1.7e308, 5.0), number(*(np.linspace(-1.7, 1.7, 99) * 1e308))
    for one in (few, many):
        assert len(set(one.tokens())) == len(one.tokens())
        assert (one.encode(pd.Series([-np.inf, np.inf])) == [1, len(one.tokens()) - 1]).all()


def test_braces_and_signs_of_a_value_are_said_as_they_are() -> None:
    values = pd.Series(["GET /api/{id}"] * 9 + ["<5"] * 9)
    one = fit(Field("action", "action", "event", "category", "the action is {value}"), values)
    assert one.sentence("action=GET /api/{id}") == "the action is GET /api/{id}"
    assert one.sentence("action=<5") == "the action is <5"


def test_values_are_numbered_within_their_sequence_as_they_come_up() -> None:
    sequence = np.array([0, 0, 0, 0, 1, 1, 1, 2], dtype=np.int32)
    column = pd.Series(["x", "y", "x", None, "y", "z", "y", None])
    assert relative_ids(sequence, column).tolist() == [1, 2, 1, 0, 1, 2, 1, 0]
