import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model.metrics import best_threshold, report

Y = np.array([0, 0, 1, 0, 1, 1])
SCORE = np.array([0.1, 0.4, 0.35, 0.2, 0.8, 0.9], dtype=np.float32)


def test_metrics_are_those_of_the_textbook() -> None:
    measured = report(Y, SCORE, threshold=0.5)
    assert measured["roc_auc"]["value"] == pytest.approx(8 / 9)
    assert measured["precision"]["value"] == 1.0
    assert measured["recall"]["value"] == pytest.approx(2 / 3)
    assert measured["f1"]["value"] == pytest.approx(0.8)
    assert (measured["positives"], measured["negatives"]) == (3, 3)


def test_the_interval_holds_the_value() -> None:
    measured = report(Y, SCORE, threshold=0.5)
    for name in ("roc_auc", "average_precision", "f1", "precision", "recall"):
        assert measured[name]["low"] <= measured[name]["value"] <= measured[name]["high"]


def test_one_class_only_has_counts_but_no_ratio() -> None:
    measured = report(np.zeros(4, dtype=np.int64), SCORE[:4], threshold=0.5)
    assert measured["roc_auc"] is None
    assert measured["negatives"] == 4


def test_the_best_threshold_lies_between_the_scores_it_parts() -> None:
    assert best_threshold(Y, SCORE) == pytest.approx((0.35 + 0.2) / 2)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=30))
def test_no_threshold_has_a_higher_f1(rows: list[tuple[bool, int]]) -> None:
    y = np.array([int(label) for label, _ in rows])
    if not y.any():
        return
    score = np.array([value / 5 for _, value in rows])

    def f1(threshold: float) -> float:
        flagged = score >= threshold
        return 2 * (flagged & (y == 1)).sum() / (flagged.sum() + y.sum())

    best = f1(best_threshold(y, score))
    assert all(f1(threshold) <= best + 1e-12 for threshold in np.unique(score))
