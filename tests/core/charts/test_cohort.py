import pytest

from core.charts import cohort

INTERVAL = {"value": 0.2, "low": 0.1, "high": 0.4}


def _fact(name: str, moved: float) -> dict:
    return {"name": name, "words": f"<{name}>", "moved": moved, "direction": -moved,
            "share": 0.5, "seen_in": 2}  # fmt: skip


def _group(name: str, actors: int = 10, missed: dict | None = None) -> dict:
    return {"group": name, "actors": actors, "quantiles": [0.0, 0.1, 0.2, 0.3, 0.9],
            "flagged": INTERVAL, "labelled": 6, "abuse": 2, "missed": missed,
            "false_alarms": INTERVAL}  # fmt: skip


def test_the_strongest_fact_of_any_group_is_on_top_and_groups_stand_beside_each_other():
    groups = [
        {"group": "confirmed", "explained": 3, "facts": [_fact("gap", 0.1), _fact("nth", 0.05)]},
        {"group": "legitimate", "explained": 1, "facts": [_fact("amount", 0.2)]},
        {"group": "unclear", "explained": 0},
    ]
    figure = cohort.leaning(groups, {"confirmed": "confirmed abuse"})
    assert list(figure.layout.yaxis.ticktext) == ["&lt;amount&gt;", "&lt;gap&gt;", "&lt;nth&gt;"]
    assert {bars.name: list(bars.x) for bars in figure.data} == {
        "confirmed abuse (3)": [0.0, 0.1, 0.05],
        "legitimate (1)": [0.2, 0.0, 0.0],
    }


def test_many_facts_are_cut():
    facts = [_fact(f"f{n}", n / 100) for n in range(60)]
    figure = cohort.leaning([{"group": "waiting", "explained": 2, "facts": facts}], {})
    assert len(figure.data[0].x) == cohort.MOST_FACTS
    assert not figure.layout.showlegend


def test_scores_are_drawn_by_group_with_their_sizes():
    figure = cohort.score_spread([_group("all", 1200), _group("u<1>")], 0.5)
    assert list(figure.layout.yaxis.ticktext) == ["all (1,200)", "u&lt;1&gt; (10)"]
    assert list(figure.data[0].median) == [0.2, 0.2]


@pytest.mark.parametrize(("rate", "units"), [("flagged", 10), ("false_alarms", 4), ("missed", 2)])
def test_a_rate_says_of_how_many_and_how_sure_it_is(rate, units):
    points = cohort.rates([_group("all", missed=INTERVAL)], rate).data[0]
    assert points.hovertext[0] == f"all: 20.0 % of {units} (10.0 to 40.0)"
    assert (points.error_x.array[0], points.error_x.arrayminus[0]) == pytest.approx((0.2, 0.1))


def test_a_group_of_which_nothing_is_known_is_left_out():
    figure = cohort.rates([_group("all", missed=INTERVAL), _group("web")], "missed")
    assert list(figure.layout.yaxis.ticktext) == ["all (2)"]
