import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from core.errors import BadInput
from core.model.bootstrap import Ranking, ranking_metrics, resamples
from core.model.metrics import best_threshold, difference, judge

Y = np.array([0, 0, 1, 0, 1, 1])
SCORE = np.array([0.1, 0.4, 0.35, 0.2, 0.8, 0.9], dtype=np.float32)
METRICS = ("roc_auc", "average_precision", "f1", "precision", "recall", "recall_at_capacity")

scored = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=30)


def noisy(size: int, *, skill: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = (rng.random(size) < 0.3).astype(np.int64)
    return y, np.clip(rng.random(size) * 0.6 + skill * y, 0, 1)


def test_metrics_are_those_of_the_textbook() -> None:
    measured = judge(Y, SCORE, threshold=0.5).report
    assert measured["roc_auc"]["value"] == pytest.approx(8 / 9)
    assert measured["precision"]["value"] == 1.0
    assert measured["recall"]["value"] == pytest.approx(2 / 3)
    assert measured["f1"]["value"] == pytest.approx(0.8)
    assert (measured["positives"], measured["negatives"]) == (3, 3)


@given(scored, st.integers(0, 2**32 - 1))
def test_every_metric_of_a_resample_is_that_of_scikit_learn(
    rows: list[tuple[bool, int]], seed: int
) -> None:
    y, score = np.array([int(label) for label, _ in rows]), np.array([s / 5 for _, s in rows])
    drawn = np.random.default_rng(seed).integers(0, len(y), len(y))
    if len(set(y[drawn])) < 2:
        return
    weights = np.bincount(drawn, minlength=len(y))[:, None].astype(float)
    ranking = Ranking.of(score)
    hits, units = ranking.cumulate(y, weights)
    flagged = int((ranking.score >= 0.5).sum())
    found = ranking_metrics(hits, units, flagged=flagged, capacity=0.1)
    y, score = y[drawn], score[drawn]
    expected = {
        "roc_auc": roc_auc_score(y, score),
        "average_precision": average_precision_score(y, score),
        "f1": f1_score(y, score >= 0.5, zero_division=0),
        "precision": precision_score(y, score >= 0.5, zero_division=0),
        "recall": recall_score(y, score >= 0.5),
    }
    for name, value in expected.items():
        assert found[name][0] == pytest.approx(value), name


def test_a_probability_has_the_brier_score_of_scikit_learn() -> None:
    y, score = noisy(300, skill=0.3)
    assert judge(y, score, 0.5).report["brier_score"]["value"] == pytest.approx(
        brier_score_loss(y, score)
    )


def test_a_score_that_is_no_probability_has_no_brier_score() -> None:
    report = judge(Y, SCORE * 7, threshold=3, probability=False).report
    assert report["brier_score"] is None
    assert "calibration" not in report


def test_the_interval_holds_the_value() -> None:
    y, score = noisy(200, skill=0.3)
    measured = judge(y, score, threshold=0.5).report
    for name in (*METRICS, "brier_score"):
        assert measured[name]["low"] < measured[name]["value"] < measured[name]["high"], name


def test_an_interval_holds_the_truth_about_nineteen_times_of_twenty() -> None:
    held = 0
    for seed in range(100):
        y, score = noisy(150, skill=0.2, seed=seed)
        found = judge(y, score, 0.5).report["roc_auc"]
        held += found["low"] <= 7 / 9 <= found["high"]  # 1 - (2 / 3) ** 2 / 2
    assert 88 <= held <= 99


def test_units_of_one_actor_are_no_independent_witnesses() -> None:
    y, score = noisy(60, skill=0.3)
    alone = judge(y, score, 0.5).report["roc_auc"]
    y, score, actors = np.repeat(y, 10), np.repeat(score, 10), np.repeat(np.arange(60), 10)
    together = judge(y, score, 0.5, groups=actors).report["roc_auc"]
    fooled = judge(y, score, 0.5).report["roc_auc"]
    assert together == pytest.approx(alone)
    assert fooled["high"] - fooled["low"] < 0.5 * (alone["high"] - alone["low"])


def test_the_same_units_are_drawn_each_time() -> None:
    first, second = (np.concatenate(list(resamples(np.arange(50))), axis=1) for _ in range(2))
    assert first.shape == (50, 1000)
    assert (first.sum(axis=0) == 50).all()
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(("capacity", "found"), [(1, 1 / 3), (2, 2 / 3), (0.5, 2 / 3), (6, 1.0)])
def test_recall_at_a_review_capacity_counts_the_highest_scores(capacity, found) -> None:
    measured = judge(Y, SCORE, threshold=0.5, capacity=capacity).report
    assert measured["recall_at_capacity"]["value"] == pytest.approx(found)


def test_of_equal_scores_the_expected_part_fits_the_capacity() -> None:
    measured = judge(np.array([1, 0, 1, 0]), np.full(4, 0.5), threshold=0.4, capacity=2).report
    assert measured["recall_at_capacity"]["value"] == pytest.approx(0.5)


def test_a_capacity_of_nothing_is_refused() -> None:
    with pytest.raises(BadInput, match="review capacity"):
        judge(Y, SCORE, threshold=0.5, capacity=0)


def test_an_honest_probability_lies_on_the_diagonal() -> None:
    rng = np.random.default_rng(0)
    score = rng.random(4000)
    bins = judge((rng.random(4000) < score).astype(np.int64), score, 0.5).report["calibration"]
    assert [one["units"] for one in bins] == [400] * 10
    assert sum(one["low"] <= one["score"] <= one["high"] for one in bins) >= 8


def test_the_better_of_two_is_ahead_by_a_paired_interval_narrower_than_its_own() -> None:
    y, score = noisy(400, skill=0.25)
    worse = np.clip(score + np.random.default_rng(1).normal(0, 0.1, 400), 0, 1)
    ours, theirs = judge(y, score, 0.5), judge(y, worse, 0.5)
    ahead = difference(ours, theirs)["average_precision"]
    own = ours.report["average_precision"]
    assert ahead["value"] == pytest.approx(
        own["value"] - theirs.report["average_precision"]["value"]
    )
    assert 0 < ahead["low"] < ahead["value"] < ahead["high"]
    assert ahead["high"] - ahead["low"] < own["high"] - own["low"]


def test_equals_are_not_told_apart() -> None:
    y, score = noisy(100, skill=0.2)
    same = difference(judge(y, score, 0.5), judge(y, score, 0.5))
    assert set(same) == {*METRICS, "brier_score"}
    assert all(found == {"value": 0, "low": 0, "high": 0} for found in same.values())


def test_curves_end_where_everybody_is_flagged() -> None:
    y, score = noisy(3000, skill=0.3)
    curves = judge(y, score, 0.5).report["curves"]
    assert curves["precision_recall"]["recall"][-1] == 1.0
    assert curves["precision_recall"]["precision"][-1] == pytest.approx(y.mean(), abs=1e-3)
    assert curves["roc"]["false_positive_rate"][-1] == 1.0
    assert len(curves["roc"]["true_positive_rate"]) < 100


def test_one_class_only_has_counts_but_no_ratio() -> None:
    measured = judge(np.zeros(4, dtype=np.int64), SCORE[:4], threshold=0.5)
    assert measured.report["roc_auc"] is None
    assert measured.report["negatives"] == 4
    assert difference(measured, judge(Y, SCORE, 0.5)) == {}


def test_the_best_threshold_lies_between_the_scores_it_parts() -> None:
    assert best_threshold(Y, SCORE) == pytest.approx((0.35 + 0.2) / 2)


@given(scored, st.sampled_from([5, -5]))
def test_no_threshold_has_a_higher_f1(rows: list[tuple[bool, int]], scale: int) -> None:
    y = np.array([int(label) for label, _ in rows])
    if not y.any():
        return
    score = np.array([value / scale for _, value in rows])

    def f1(threshold: float) -> float:
        flagged = score >= threshold
        return 2 * (flagged & (y == 1)).sum() / (flagged.sum() + y.sum())

    best = f1(best_threshold(y, score))
    assert all(f1(threshold) <= best + 1e-12 for threshold in np.unique(score))
