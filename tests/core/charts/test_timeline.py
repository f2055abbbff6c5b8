import numpy as np
import pandas as pd
import pytest

from core.charts import axis, look, score_line
from core.charts.timeline import timeline


def _events(seconds: list[float], actions: list[str] | None = None) -> pd.DataFrame:
    start = pd.Timestamp("2026-03-01 10:00", tz="UTC")
    return pd.DataFrame(
        {
            "position": range(len(seconds)),
            "ts": [start + pd.Timedelta(seconds=s) for s in seconds],
            "action": actions or ["view"] * len(seconds),
            "item": "i<1>",
            "amount": [float(n) for n in range(len(seconds))],
        }
    )


def test_a_long_gap_becomes_a_break_that_says_how_long_it_is():
    figure = timeline(_events([0, 10, 20, 30, 86400, 86410]), by_time=True)
    assert [note.text for note in figure.layout.annotations] == ["24 h later"]
    places = np.asarray(figure.data[0].x)
    assert places[4] - places[3] == pytest.approx(60)  # six times the usual gap of 10 s
    assert places[5] - places[4] == pytest.approx(10)


def test_in_order_every_event_takes_one_step():
    figure = timeline(_events([0, 10, 86400]), by_time=False)
    assert list(figure.data[0].x) == [1, 2, 3]


def test_a_burst_is_bracketed_with_its_count_and_duration():
    figure = timeline(_events([0, 1, 2, 3, 4, 600]), by_time=False)
    assert [note.text for note in figure.layout.annotations] == ["5 in 4 s"]


def test_marks_carry_position_attribution_and_a_readable_text():
    figure = timeline(
        _events([0, 10], ["view", "order"]),
        by_time=True,
        values=[-0.1, 0.3],
        details=["", "gap&lt;2s"],
    )
    marks = figure.data[0]
    assert list(marks.customdata) == [0, 1]
    assert list(marks.marker.color) == [-0.1, 0.3]
    assert (marks.marker.cmin, marks.marker.cmax) == (-0.3, 0.3)
    assert marks.hovertext[1] == (
        "<b>2. order</b><br>01 Mar 2026 10:00:10 UTC<br>item i&lt;1&gt;<br>amount 1.00"
        "<br>moved the score by +0.300<br>gap&lt;2s"
    )


def test_without_an_explanation_marks_are_grey():
    assert timeline(_events([0, 1]), by_time=True).data[0].marker.color == look.NEUTRAL


def test_a_larger_amount_never_has_a_smaller_mark():
    sizes = np.asarray(timeline(_events([0, 1, 2, 3]), by_time=False).data[0].marker.size)
    assert (np.diff(sizes) > 0).all()


def test_crowded_lanes_have_smaller_marks():
    few, many = (timeline(_events(list(range(n))), by_time=False).data[0] for n in (4, 100))
    assert max(few.marker.size) == 30
    assert max(many.marker.size) < 20


def test_thousands_of_events_are_bundled_and_none_is_lost():
    number = 5000
    figure = timeline(
        _events(list(range(number)), ["view", "cart"] * (number // 2)),
        by_time=True,
        values=[0.001] * number,
    )
    marks = figure.data[0]
    assert len(marks.x) <= 2 * 160
    assert sorted(p for bundle in marks.customdata for p in bundle) == list(range(number))
    assert sum(marks.marker.color) == pytest.approx(5.0)


def test_rare_actions_share_a_lane():
    actions = [f"action {n}" for n in range(40)]
    figure = timeline(_events(list(range(40)), actions), by_time=False)
    assert len(figure.layout.yaxis.ticktext) == 12
    assert "other" in figure.layout.yaxis.ticktext


@pytest.mark.parametrize("by_time", [True, False])
def test_one_event_is_drawn(by_time):
    assert len(timeline(_events([0]), by_time=by_time).data[0].x) == 1


def test_a_log_without_time_is_drawn_in_order():
    events = _events([0, 1, 2]).assign(ts=pd.NaT)
    assert list(timeline(events, by_time=False).data[0].x) == [1, 2, 3]


def test_events_at_the_same_instant_need_no_breaks():
    assert axis.broken(np.zeros(4)).breaks == []


def test_labels_of_the_time_axis_do_not_lie_on_each_other():
    events = _events([float(s) for day in range(9) for s in range(day * 86400, day * 86400 + 50)])
    figure = timeline(events, by_time=True)
    at = np.asarray(figure.layout.xaxis.tickvals)
    width = max(figure.data[0].x) - min(figure.data[0].x)
    assert (np.diff(at) >= width / axis.TICKS - 1e-6).all()


PREFIXES = {"events": [1, 2, 3], "score": [0.1, 0.7, 0.4], "threshold": 0.6, "tipping": 2}


def test_the_score_after_each_event_stands_above_its_event():
    figure = timeline(_events([0, 10, 20]), by_time=False, prefixes=PREFIXES)
    marks, line, tipping = figure.data
    assert list(line.x) == list(marks.x)
    assert list(line.y) == PREFIXES["score"]
    assert (list(tipping.x), list(tipping.y)) == ([2], [0.7])
    assert figure.layout.yaxis.domain[1] < figure.layout.yaxis2.domain[0]
    assert "reaches the threshold at event 2 of 3" in tipping.hovertext[0]


def test_a_sequence_that_never_reaches_the_threshold_has_no_tipping_event():
    figure = timeline(_events([0, 1, 2]), by_time=True, prefixes=PREFIXES | {"tipping": None})
    assert len(figure.data) == 2


def test_the_place_of_the_line_is_kept_while_it_is_computed():
    waiting, drawn = (
        timeline(_events([0, 10, 20]), by_time=True, prefixes=found) for found in ({}, PREFIXES)
    )
    assert waiting.layout.height == drawn.layout.height
    assert waiting.layout.yaxis.domain == drawn.layout.yaxis.domain


def test_scores_of_two_sequences_lie_over_each_other():
    short = PREFIXES | {"events": [1, 2], "score": [0.2, 0.3], "tipping": None}
    figure = score_line.together({"this case": PREFIXES, "u<1>": short})
    assert [line.name for line in figure.data] == ["this case", "u&lt;1&gt;"]
    assert [list(line.x) for line in figure.data] == [[1, 2, 3], [1, 2]]


@pytest.mark.parametrize(("threshold", "labels"), [(0.5, 3), (0.2, 2), (0.97, 2)])
def test_labels_of_the_score_do_not_lie_on_each_other(threshold, labels):
    found = PREFIXES | {"threshold": threshold}
    figure = timeline(_events([0, 10, 20]), by_time=False, prefixes=found)
    assert len(figure.layout.yaxis2.ticktext) == labels
