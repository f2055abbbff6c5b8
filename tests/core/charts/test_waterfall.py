import numpy as np
import pytest

from core.charts.waterfall import MOST_EVENTS, waterfall


def _steps(figure):
    bars = figure.data[0]
    return dict(zip(figure.layout.xaxis.ticktext, bars.y, strict=True)), list(bars.measure)


def test_base_value_whole_sequence_and_events_lead_to_the_score():
    steps, measure = _steps(waterfall(0.2, 0.1, [0.3, -0.05], ["1. view", "2. order"]))
    assert steps == pytest.approx(
        {"nothing known": 0.2, "whole sequence": 0.1, "1. view": 0.3, "2. order": -0.05,
         "score": 0.55}
    )  # fmt: skip
    assert measure == ["absolute", "relative", "relative", "relative", "total"]


def test_the_strongest_events_stand_in_order_and_the_rest_is_one_bar():
    values = np.linspace(-0.1, 0.2, 900)
    figure = waterfall(0.1, 0.0, values, [f"{n}." for n in range(900)])
    steps, _ = _steps(figure)
    labels = list(steps)[2:-2]
    assert len(labels) == MOST_EVENTS
    assert labels == sorted(labels, key=lambda one: int(one[:-1]))
    assert f"the other {900 - MOST_EVENTS}" in steps
    assert steps["score"] == pytest.approx(0.1 + values.sum())
    assert sum(list(steps.values())[:-1]) == pytest.approx(steps["score"])


def test_one_event_that_moved_nothing_is_a_picture():
    assert len(waterfall(1.0, 0.0, [0.0], ["1. view"]).data[0].y) == 4
