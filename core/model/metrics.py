"""How good scores are, per labelled unit: every metric with a bootstrap interval."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import BadInput
from core.model.bootstrap import Floats, Labels, Ranking, ranking_metrics, resamples

INTERVAL = (2.5, 97.5)  # percent
REVIEW_SHARE = 0.05  # of the units can be reviewed, where nobody says otherwise
BINS = 10  # of the calibration curve, equally many units each
POINTS = 60  # of a curve


@dataclass(frozen=True)
class Judgement:
    """A report on scores, and each metric of each resample, for paired comparison."""

    report: dict[str, Any]
    draws: dict[str, Floats]  # name of a metric -> (R,), NaN where a resample lacks a class


def judge(
    y_true: Labels,
    y_score: npt.NDArray[Any],
    threshold: float,
    *,
    groups: npt.NDArray[Any] | None = None,
    capacity: float = REVIEW_SHARE,
    probability: bool = True,
) -> Judgement:
    """Measure scores against labels.

    The report holds each metric as ``{"value", "low", "high"}`` (95 % percentile bootstrap), the
    counts, threshold, capacity and curves. With one class only, metrics that need both are None.

    Parameters
    ----------
    y_true, y_score
        Labels (0 or 1) and scores of N units, (N,).
    groups
        Whose unit it is (N,): units of one group are resampled together. Default: each its own.
    capacity
        Units that can be reviewed: a share of them below 1, else their number.
    probability
        Whether scores are probabilities: only then they have a Brier score and a calibration.

    Raises
    ------
    BadInput
        If `capacity` is not positive.
    """
    if capacity <= 0:
        raise BadInput(f"A review capacity is a share or a number of units; {capacity} was given.")
    positives, size = int(y_true.sum()), len(y_true)
    report: dict[str, Any] = {"positives": positives, "negatives": size - positives}
    report |= {"threshold": float(threshold), "capacity": float(capacity)}
    measure = _Measure(y_true, y_score.astype(np.float64), threshold, capacity, probability)
    if not 0 < positives < size:
        return Judgement(dict.fromkeys(measure.names) | report, {})
    value = measure(np.ones((size, 1)))
    parts = [
        measure(weights) for weights in resamples(np.arange(size) if groups is None else groups)
    ]
    drawn = {name: np.concatenate([part[name] for part in parts], axis=-1) for name in value}
    for name in measure.names:
        report[name] = None if name not in value else interval(value[name], drawn[name])
    if probability:
        report["calibration"] = _calibration(measure, value, drawn)
    report["curves"] = _curves(*(part[:, 0] for part in measure.cumulated(np.ones((size, 1)))))
    return Judgement(report, {name: drawn[name] for name in measure.names if name in drawn})


def difference(ours: Judgement, theirs: Judgement) -> dict[str, dict[str, float]]:
    """Return by how much each metric of `ours` is higher, with its paired bootstrap interval.

    Both must be judged on the same units: each resample then draws the same units for both, so
    what is hard for everybody cancels out (Efron & Tibshirani 1993, chapter 16).
    """
    found = {}
    for name in ours.draws.keys() & theirs.draws.keys():
        value = ours.report[name]["value"] - theirs.report[name]["value"]
        found[name] = interval(np.array([value]), ours.draws[name] - theirs.draws[name])
    return found


def stable_threshold(y_true: Labels, y_score: npt.NDArray[Any]) -> float:
    """Return the median, over bootstrap resamples, of the threshold with the highest F1.

    The single best threshold of a few hundred units jumps with each of them.
    """
    ranking = Ranking.of(y_score)
    found = []
    for weights in resamples(np.arange(len(y_true))):
        hits, units = ranking.cumulate(y_true, weights)
        drawn = hits[-1] > 0
        found.append(_best_thresholds(ranking, hits[:, drawn], units[:, drawn]))
    thresholds = np.concatenate(found)
    return float(np.median(thresholds)) if len(thresholds) else best_threshold(y_true, y_score)


def best_threshold(y_true: Labels, y_score: npt.NDArray[Any]) -> float:
    """Return the threshold with the highest F1, midway to the next lower score."""
    ranking = Ranking.of(y_score)
    hits, units = ranking.cumulate(y_true, np.ones((len(y_true), 1)))
    return float(_best_thresholds(ranking, hits, units)[0])


def _best_thresholds(ranking: Ranking, hits: Floats, units: Floats) -> Floats:
    f1 = 2 * hits / np.maximum(units + hits[-1], 1)
    # Below the lowest score there is nothing to lie midway to: half of a probability is as good.
    lowest = min(ranking.score[-1], 0.0)
    following = np.append(ranking.score[1:], lowest)
    thresholds: Floats = ((ranking.score + following) / 2)[f1.argmax(axis=0)]
    return thresholds


class _Measure:
    """Every metric of one score, as a function of the weights of the units."""

    names = (
        "roc_auc",
        "average_precision",
        "f1",
        "precision",
        "recall",
        "recall_at_capacity",
        "brier_score",
    )

    def __init__(
        self, y_true: Labels, y_score: Floats, threshold: float, capacity: float, probability: bool
    ) -> None:
        self.y_true = y_true
        self.y_score = y_score
        self.ranking = Ranking.of(y_score)
        self.flagged = int((self.ranking.score >= threshold).sum())
        self.capacity = capacity
        self.probability = probability
        place = np.empty(len(y_true), dtype=np.int64)
        place[self.ranking.order] = np.arange(len(y_true))
        number = min(BINS, len(self.ranking.score))
        self.bins = place * number // len(y_true) == np.arange(number)[:, None]  # (BINS, N)

    def cumulated(self, weights: Floats) -> tuple[Floats, Floats]:
        return self.ranking.cumulate(self.y_true, weights)

    def __call__(self, weights: Floats) -> dict[str, Floats]:
        """Return each metric, (R,), and of a probability the share of positives by bin."""
        hits, units = self.cumulated(weights)
        found = ranking_metrics(hits, units, flagged=self.flagged, capacity=self.capacity)
        if self.probability:
            squared = (self.y_score - self.y_true) ** 2
            found["brier_score"] = squared @ weights / weights.sum(axis=0)
            inside = self.bins.astype(np.float64)
            with np.errstate(invalid="ignore"):
                found["bins"] = (inside * self.y_true) @ weights / (inside @ weights)
        return found


def interval(value: Floats, drawn: Floats) -> dict[str, float]:
    """Return a metric, (1,), with the middle 95 % of its resamples, (R,)."""
    known = drawn[~np.isnan(drawn)]
    low, high = np.percentile(known, INTERVAL) if len(known) else (np.nan, np.nan)
    return {"value": float(value[0]), "low": float(low), "high": float(high)}


def _calibration(
    measure: _Measure, value: dict[str, Floats], drawn: dict[str, Floats]
) -> list[dict[str, float]]:
    """Return mean score and share of positives of units of similar score, the highest first."""
    shares, samples = value.pop("bins"), drawn.pop("bins")
    return [
        {
            "score": float(measure.y_score[inside].mean()),
            "units": int(inside.sum()),
            **interval(share, sample),
        }
        for inside, share, sample in zip(measure.bins, shares, samples, strict=True)
    ]


def _curves(hits: Floats, units: Floats) -> dict[str, dict[str, list[float]]]:
    """Return precision over recall and the ROC curve, thinned to the steps that find positives."""
    steps = np.flatnonzero(np.diff(hits, prepend=0) > 0)
    steps = steps[np.unique(np.linspace(0, len(steps) - 1, POINTS).round().astype(int))]
    steps = np.union1d(steps, [len(hits) - 1])
    hits, units, positives, total = hits[steps], units[steps], hits[-1], units[-1]
    recall, precision = (hits / positives).round(4), (hits / units).round(4)
    fallout = ((units - hits) / (total - positives)).round(4)
    return {
        "precision_recall": {"recall": recall.tolist(), "precision": precision.tolist()},
        "roc": {
            "false_positive_rate": [0.0, *fallout.tolist()],
            "true_positive_rate": [0.0, *recall.tolist()],
        },
    }
