import numpy as np
import pytest

from core.charts import judgement, look
from core.model.metrics import judge


@pytest.fixture(scope="module")
def reports() -> dict[str, dict]:
    rng = np.random.default_rng(0)
    y = (rng.random(200) < 0.3).astype(int)
    good, poor = np.clip(0.6 * y + 0.4 * rng.random(200), 0, 1), rng.random(200)
    return {"m<1>": judge(y, good, 0.5).report, "poor": judge(y, poor, 0.5).report}


def test_the_best_is_on_top_and_the_model_stands_out(reports):
    points = judgement.beside_baselines(reports, "average_precision", "AP").data[0]
    assert list(points.y) == ["poor", "m&lt;1&gt;"]  # Plotly draws the last on top
    assert list(points.marker.color) == [look.NEUTRAL, look.RISK]
    found = reports["poor"]["average_precision"]
    assert points.error_x.array[0] == pytest.approx(found["high"] - found["value"])


def test_a_smaller_brier_score_is_better(reports):
    points = judgement.beside_baselines(reports, "brier_score", "Brier").data[0]
    assert points.y[-1] == "m&lt;1&gt;"


def test_a_metric_that_a_baseline_lacks_leaves_it_out(reports):
    lacking = {**reports, "chain": {"brier_score": None}}
    assert len(judgement.beside_baselines(lacking, "brier_score", "Brier").data[0].x) == 2


def test_curves_are_drawn_for_each_report(reports):
    for figure in (judgement.precision_recall(reports), judgement.roc(reports)):
        assert [line.name for line in figure.data] == ["m&lt;1&gt;", "poor"]
        assert all(0 <= value <= 1 for line in figure.data for value in [*line.x, *line.y])


def test_calibration_shows_what_was_said_against_what_came_true(reports):
    bins = reports["m<1>"]["calibration"]
    points = judgement.calibration(bins).data[0]
    assert list(points.x) == [one["score"] for one in bins]
    assert list(points.y) == [one["value"] for one in bins]
    assert sum(points.customdata) == 200
