"""What reasons say of tokens, from a table of templates and what sequences usually hold."""

import numpy as np
import pytest

from core.explain.templates import compare, say
from core.fields import Field
from core.tokens import Tokenizer

COUNT = Field(
    "count_cart", "count_cart", "profile", "count", "{value} times cart", edges=(1.0, 2, 3, 5, 9)
)
GAP = Field(
    "median_gap", "median_gap", "profile", "seconds", "{value} typically between events",
    edges=(1.0, 10, 60, 3600),
)  # fmt: skip
SAME = Field(
    "same_share", "same_share", "profile", "ratio", "{value} of events are the same",
    edges=(0.2, 0.5, 0.9),
)  # fmt: skip
ITEM = Field("item", "item", "event", "relative", "item {value} of this sequence")
QUERY = Field("query", "query", "event", "text", "query is {value}", values=("shoe", "##s"))
TOKENIZER = Tokenizer([COUNT, GAP, SAME, ITEM], None)


def usual(**shares: float) -> np.ndarray:
    found = np.zeros(len(TOKENIZER))
    for token, share in shares.items():
        found[TOKENIZER.tokens.index(token)] = share
    return found


def told(token: str, shares: dict[str, float]) -> str:
    number = TOKENIZER.tokens.index(token)
    field = next(n for n, end in enumerate(TOKENIZER.ends, start=1) if number < end)
    return compare(TOKENIZER, number, field, usual(**shares))


def test_a_high_count_is_set_against_what_most_sequences_have_at_most() -> None:
    shares = {"count_cart=0": 0.6, "count_cart=1": 0.2, "count_cart~3-4": 0.16,
              "count_cart>=9": 0.04}  # fmt: skip
    assert told("count_cart>=9", shares) == "96 % of sequences have at most 4"


def test_a_short_gap_is_set_against_what_most_sequences_have_at_least() -> None:
    shares = {"median_gap<1s": 0.02, "median_gap~10s-1m": 0.08, "median_gap~1m-1h": 0.9}
    assert told("median_gap<1s", shares) == "98 % of sequences have at least 10s"


def test_a_share_is_told_in_percent() -> None:
    shares = {"same_share<0.2": 0.97, "same_share>=0.9": 0.03}
    assert told("same_share>=0.9", shares) == "97 % of sequences have at most 20 %"


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.0, "no sequence the model learned from has this"),
        (0.004, "fewer than 1 % of sequences have this"),
        (0.3, "30 % of sequences have this"),
        (0.9999, "99 % of sequences have this"),
    ],
)
def test_what_is_no_number_is_told_by_how_many_have_it(share: float, words: str) -> None:
    assert told("item=#2", {"item=#2": share}) == words


def test_what_lies_among_the_usual_is_told_by_how_many_have_it() -> None:
    shares = {"count_cart=0": 0.5, "count_cart=1": 0.5}
    assert told("count_cart=1", shares) == "50 % of sequences have this"


def test_a_count_of_actions_is_told_with_the_time_it_took() -> None:
    token = TOKENIZER.tokens.index("count_cart~5-8")
    assert say(TOKENIZER, token, 1, duration="30s-1m") == "5-8 times cart in 30s-1m"


def test_places_of_items_are_told_as_words() -> None:
    for token, words in [
        ("item=#3", "The 3rd different item of the sequence, in 7 events"),
        ("item=#16", "The 16th or later different item of the sequence, in 7 events"),
        ("item=missing", "Item is missing, in 7 events"),
    ]:
        assert say(TOKENIZER, TOKENIZER.tokens.index(token), 4, events=7) == words


def test_pieces_of_text_are_told_without_marks() -> None:
    tokenizer = Tokenizer([QUERY], None)
    assert say(tokenizer, tokenizer.tokens.index("query:##s"), 1) == "Query has “s”"
