import numpy as np
import pandas as pd
import pytest

from core.charts import attribution, look, overview, robustness
from core.wording import duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "under 1 s"), (45, "45 s"), (180, "3 min"), (7800, "2 h 10 min"), (432000, "5 d")],
)
def test_durations_are_said_in_plain_words(seconds, words):
    assert duration(seconds) == words


def test_bars_of_tokens_add_up_to_the_whole():
    values = np.linspace(-0.2, 0.3, 40)
    bars = attribution.by_token([f"token {n}" for n in range(40)], values).data[0]
    assert sum(bars.x) == pytest.approx(values.sum())
    assert len(bars.x) == attribution.MOST_BARS + 1


def test_bars_towards_abuse_and_towards_normal_differ_in_colour():
    bars = attribution.by_token(["all", "1", "2"], [0.1, -0.2, 0.3]).data[0]
    assert dict(zip(bars.x, bars.marker.color, strict=True)) == {
        0.1: look.ABUSE,
        -0.2: look.NORMAL,
        0.3: look.ABUSE,
    }


def test_labels_cannot_smuggle_markup():
    figure = attribution.by_token(["gap<2s"], [0.1])
    assert list(figure.layout.yaxis.ticktext) == ["gap&lt;2s"]


def test_the_histogram_counts_everybody_and_colours_what_is_above_the_threshold():
    bars = overview.score_histogram([0.05, 0.5, 0.51, 1.0], 0.5, word="score").data[0]
    assert sum(bars.y) == 4
    risky = [y for y, colour in zip(bars.y, bars.marker.color, strict=True) if colour == look.RISK]
    assert sum(risky) == 3


def test_a_training_run_has_a_line_per_phase_and_kind_of_loss():
    points = [
        {"phase": "pre-training", "epoch": 1, "loss": 2.0},
        {"phase": "fine-tuning", "epoch": 1, "loss": 0.5, "validation_loss": 0.6},
    ]
    lines = {line.name: (list(line.x), list(line.y)) for line in overview.curve(points).data}
    assert lines == {
        "pre-training": ([1], [2.0]),
        "fine-tuning": ([2], [0.5]),
        "fine-tuning, held-out sequences": ([2], [0.6]),
    }


def test_every_sequence_is_in_exactly_one_length_bucket():
    bars = overview.lengths([1, 2, 3, 4, 5, 8, 9, 256]).data[0]
    assert sum(bars.y) == 8
    assert list(bars.x)[:4] == ["1", "2", "3–4", "5–8"]


def test_sequences_of_one_event_still_make_a_picture():
    assert sum(overview.lengths([1, 1]).data[0].y) == 2


def test_rare_actions_are_joined_and_no_event_is_lost():
    days = pd.date_range("2026-01-01", periods=2, tz="UTC")
    rows = [(day, f"a{n}", n + 1) for day in days for n in range(9)]
    figure = overview.actions_over_time(pd.DataFrame(rows, columns=["ts", "action", "events"]))
    assert [bars.name for bars in figure.data] == ["a8", "a7", "a6", "a5", "a4", "other"]
    assert sum(sum(bars.y) for bars in figure.data) == 2 * 45


def test_models_are_compared_with_their_intervals():
    old = {"f1": {"value": 0.8, "low": 0.7, "high": 0.85}, "roc_auc": None, "positives": 9}
    new = {"f1": {"value": 0.9, "low": 0.9, "high": 0.9}, "roc_auc": None, "positives": 9}
    first, second = overview.metric_comparison({"m1": old, "m2": new}).data
    assert (first.name, list(first.x), list(second.x)) == ("m1", [0.8], [0.9])
    assert list(first.error_x.array) == pytest.approx([0.05])
    assert list(first.error_x.arrayminus) == pytest.approx([0.1])


def test_robustness_is_drawn_with_the_worst_on_top_and_recall_from_nothing_hidden() -> None:
    def measured(flipped):
        rate = {"value": flipped, "low": flipped / 2, "high": 2 * flipped}
        return {"flipped": rate, "recall": rate, "units": 9, "mean": 0.1, "share": flipped}

    (dots,) = robustness.flips({"dropping": measured(0.1), "padding": measured(0.3)}).data
    assert list(dots.y) == ["dropping", "padding"]
    np.testing.assert_allclose(dots.error_x.array, [0.1, 0.3])
    whole = {"value": 0.9, "low": 0.8, "high": 1.0}
    (line,) = robustness.hiding(whole, [measured(0.5)]).data
    assert (list(line.x), list(line.y)) == ([0.0, 0.5], [0.9, 0.5])
