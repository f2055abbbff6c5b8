import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.charts.cutting import whole_sequences
from core.logs.lengths import LengthSummary, summarise

LENGTHS = st.dictionaries(st.integers(1, 5000), st.integers(1, 50), min_size=1)


def test_a_summary_counts_what_is_too_long() -> None:
    assert summarise({1: 10, 5: 8, 300: 1, 900: 1}, 256) == LengthSummary(1, 300, 900, 20, 2)


@given(lengths=LENGTHS)
def test_quantiles_are_those_of_the_sequences(lengths: dict[int, int]) -> None:
    every = np.repeat(list(lengths), list(lengths.values()))
    found = summarise(lengths, 5000)
    assert (found.median, found.nearly_all, found.longest) == tuple(
        int(np.quantile(every, share, method="inverted_cdf")) for share in (0.5, 0.95, 1.0)
    )


@given(lengths=LENGTHS, most=st.integers(1, 6000))
def test_every_sequence_is_drawn_once_and_apart_where_it_is_split(
    lengths: dict[int, int], most: int
) -> None:
    whole, split = whole_sequences(lengths, most).data
    assert sum(whole.y) + sum(split.y) == sum(lengths.values())
    assert sum(split.y) == summarise(lengths, most).split


@pytest.mark.parametrize(
    ("lengths", "most", "bars"),
    [
        ({1: 4}, 256, ["1"]),
        ({1: 4, 5: 2}, 256, ["1", "2", "3–4", "5"]),
        ({1: 4, 5: 2}, 3, ["1", "2", "3", "4", "5"]),
    ],
)
def test_a_bar_ends_at_the_cut(lengths: dict[int, int], most: int, bars: list[str]) -> None:
    drawn = whole_sequences(lengths, most)
    assert [label for trace in drawn.data for label in trace.x] == bars
    assert drawn.layout.showlegend is (most == 3)
