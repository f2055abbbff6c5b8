import pytest

from core.charts.side_by_side import MOST_LANES, OTHER, Side, side_by_side
from core.explain.aligning import align


def _drawn(left: list[str], right: list[str]):
    sides = (Side("this case", left, [0.1] * len(left)), Side("u<1>", right, [-0.2] * len(right)))
    return side_by_side(*sides, align(left, right))


def test_equal_events_share_a_column_and_others_are_hollow():
    figure = _drawn(["login", "view", "order"], ["login", "order", "refund"])
    upper, lower = figure.data
    assert (list(upper.x), list(lower.x)) == ([1, 2, 3], [1, 3, 4])
    assert list(upper.marker.symbol) == ["circle", "circle-open", "circle"]
    assert list(lower.marker.symbol) == ["circle", "circle", "circle-open"]
    assert (upper.marker.cmin, upper.marker.cmax) == (lower.marker.cmin, lower.marker.cmax)
    assert figure.layout.annotations[1].text == "<b>u&lt;1&gt;</b>, 3 events"


def test_both_have_the_same_lanes_and_rare_actions_share_one():
    figure = _drawn([f"a{n}" for n in range(9)], ["b"])
    assert figure.layout.yaxis.ticktext == figure.layout.yaxis2.ticktext
    assert len(figure.layout.yaxis.ticktext) == MOST_LANES
    assert figure.layout.yaxis.ticktext[-1] == OTHER


@pytest.mark.parametrize("size", [1, 900])
def test_no_event_is_lost(size):
    upper, lower = _drawn(["view"] * size, ["cart"]).data
    assert (len(upper.x), len(lower.x)) == (size, 1)
