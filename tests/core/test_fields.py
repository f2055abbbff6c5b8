import pandas as pd
import pytest

from core.fields import Field, Kind, fit


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
