"""How good scores are, per labelled unit, with bootstrap intervals."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, precision_recall_fscore_support, roc_auc_score

Floats = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.int64]

RESAMPLES = 200
INTERVAL = (2.5, 97.5)  # percent


def report(y_true: Labels, y_score: Floats, threshold: float) -> dict[str, Any]:
    """Return each metric as ``{"value", "low", "high"}``, the counts and the threshold.

    The interval is the percentile bootstrap over units (Efron & Tibshirani 1993), 95 %. With one
    class only, metrics that need both are None.
    """
    rng = np.random.default_rng(0)
    size = len(y_true)
    resamples = [rng.integers(0, size, size) for _ in range(RESAMPLES if size else 0)]
    measured = {
        name: _with_interval(metric, y_true, y_score, resamples)
        for name, metric in _metrics(threshold).items()
    }
    positives = int(y_true.sum())
    counts = {"positives": positives, "negatives": len(y_true) - positives}
    return {**measured, **counts, "threshold": float(threshold)}


def stable_threshold(y_true: Labels, y_score: Floats) -> float:
    """Return the median, over bootstrap resamples, of the threshold with the highest F1.

    The single best threshold of a few hundred units jumps with each of them.
    """
    rng = np.random.default_rng(0)
    found = []
    for _ in range(RESAMPLES):
        index = rng.integers(0, len(y_true), len(y_true))
        if y_true[index].any():
            found.append(best_threshold(y_true[index], y_score[index]))
    return float(np.median(found)) if found else best_threshold(y_true, y_score)


def best_threshold(y_true: Labels, y_score: Floats) -> float:
    """Return the threshold with the highest F1, midway to the next lower score."""
    order = np.argsort(-y_score, kind="stable")
    score, hits = y_score[order].astype(float), np.cumsum(y_true[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + y_true.sum())
    last_of_tie = np.append(score[:-1] > score[1:], True)
    best = int(np.argmax(np.where(last_of_tie, f1, -1)))
    following = score[best + 1] if best + 1 < len(score) else 0.0
    return float((score[best] + following) / 2)


def _metrics(threshold: float) -> dict[str, Callable[[Labels, Floats], float]]:
    def at_threshold(index: int) -> Callable[[Labels, Floats], float]:
        def metric(y_true: Labels, y_score: Floats) -> float:
            flagged = y_score >= threshold
            values = precision_recall_fscore_support(
                y_true, flagged, average="binary", zero_division=0
            )
            return float(values[index])

        return metric

    return {
        "roc_auc": roc_auc_score,
        "average_precision": average_precision_score,
        "f1": at_threshold(2),
        "precision": at_threshold(0),
        "recall": at_threshold(1),
    }


def _with_interval(
    metric: Callable[[Labels, Floats], float],
    y_true: Labels,
    y_score: Floats,
    resamples: list[Labels],
) -> dict[str, float] | None:
    if len(np.unique(y_true)) < 2:
        return None
    drawn = [
        metric(y_true[index], y_score[index])
        for index in resamples
        if 0 < y_true[index].sum() < len(index)
    ]
    low, high = np.percentile(drawn, INTERVAL) if drawn else (np.nan, np.nan)
    value = float(metric(y_true, y_score))
    return {"value": value, "low": float(low), "high": float(high)}
