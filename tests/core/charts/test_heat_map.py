import numpy as np
import pandas as pd
import pytest

from core.charts.heat_map import MOST_COLUMNS, MOST_ROWS, REST, heat_map


def _tokens(events: int, facts: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"event": event, "fact": fact, "words": f"{fact}<{event}", "value": 0.01 * (row + 1)}
            for event in range(1, events + 1)
            for row, fact in enumerate(facts)
        ]
    )


def test_the_strongest_fact_is_on_top_and_each_cell_says_what_it_is():
    cells = heat_map(_tokens(2, ["gap", "amount"]), events=2, names=["1. view", "2. order"])
    assert list(cells.layout.yaxis.ticktext) == ["amount", "gap"]
    np.testing.assert_allclose(cells.data[0].z, [[0.02, 0.02], [0.01, 0.01]])
    assert cells.data[0].text[0][1] == "<b>2. order</b><br>amount&lt;2: +0.020"


def test_tokens_of_one_fact_of_one_event_are_summed():
    tokens = pd.concat([_tokens(1, ["query"])] * 3)
    cells = heat_map(tokens, events=1, names=["1. search"]).data[0]
    assert cells.z[0][0] == pytest.approx(0.03)
    assert "3 tokens together: +0.030" in cells.text[0][0]


@pytest.mark.parametrize("events", [1, 120, 121, 900])
def test_long_sequences_are_bundled_and_nothing_is_lost(events):
    names = [f"{n}. view" for n in range(1, events + 1)]
    cells = heat_map(_tokens(events, ["gap"]), events=events, names=names).data[0]
    assert len(cells.x) <= MOST_COLUMNS
    assert np.nansum(cells.z) == pytest.approx(0.01 * events)
    assert min(cells.x) >= 1


def test_weak_facts_share_a_row():
    figure = heat_map(_tokens(1, [f"f{n}" for n in range(40)]), events=1, names=["1. view"])
    assert len(figure.layout.yaxis.ticktext) == MOST_ROWS + 1
    assert figure.layout.yaxis.ticktext[-1] == REST
    assert np.nansum(figure.data[0].z) == pytest.approx(sum(0.01 * n for n in range(1, 41)))


def test_an_event_without_tokens_is_empty():
    cells = heat_map(_tokens(1, ["gap"]), events=2, names=["1. view", "2. view"]).data[0]
    assert np.isnan(cells.z[0][1])
