"""Metrics of many bootstrap resamples at once.

A resample is a column of weights: how often each unit was drawn. Sorting the units by score once
then gives every ranking metric of every resample by cumulative sums, so that a thousand resamples
of thousands of units take about a second (Efron & Tibshirani, "An Introduction to the Bootstrap",
1993; the percentile interval).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

RESAMPLES = (200, 1000)  # at least, and at most
BUDGET = 20_000_000  # weights: a larger log is resampled less often, its intervals are narrow
CHUNK = 2_000_000  # weights held at a time


def resamples(groups: npt.NDArray[Any]) -> Iterator[Floats]:
    """Yield weights (N, R) of resamples of N units, the same ones for the same `groups`.

    Units of one group (sessions of one actor) are drawn together, since they are no independent
    witnesses (cluster bootstrap; Cameron, Gelbach & Miller 2008).
    """
    codes, found = pd.factorize(groups)
    if not len(codes):
        return
    rng = np.random.default_rng(0)
    left = int(np.clip(BUDGET // len(codes), *RESAMPLES))
    while left:
        number = min(left, max(1, CHUNK // len(codes)))
        drawn = rng.integers(0, len(found), (number, len(found)))
        drawn += np.arange(number)[:, None] * len(found)
        count = np.bincount(drawn.ravel(), minlength=number * len(found))
        yield count.reshape(number, -1).T[codes].astype(np.float64)
        left -= number


@dataclass(frozen=True)
class Ranking:
    """Units by falling score; units of the same score stand together, as one of G steps."""

    order: Labels  # (N,)
    starts: Labels  # (G,), places in `order` where a step begins
    score: Floats  # (G,), falling

    @classmethod
    def of(cls, y_score: npt.NDArray[Any]) -> "Ranking":
        """Rank units by score, (N,)."""
        order = np.argsort(-y_score, kind="stable")
        ranked = y_score[order].astype(np.float64)
        starts = np.flatnonzero(np.append(True, ranked[1:] < ranked[:-1]))
        return cls(order, starts, ranked[starts])

    def cumulate(self, y_true: Labels, weights: Floats) -> tuple[Floats, Floats]:
        """Return positives and units down to each step of each resample, (G, R) both."""
        ranked = weights[self.order]
        units = np.add.reduceat(ranked, self.starts, axis=0)
        hits = np.add.reduceat(ranked * y_true[self.order, None], self.starts, axis=0)
        return np.cumsum(hits, axis=0), np.cumsum(units, axis=0)


def ranking_metrics(
    hits: Floats, units: Floats, *, flagged: int, capacity: float
) -> dict[str, Floats]:
    """Return each metric of each resample, (R,); NaN where a resample lacks a class it needs.

    Parameters
    ----------
    hits, units
        Positives and units down to each step, (G, R).
    flagged
        Number of steps whose score reaches the threshold.
    capacity
        Units that can be reviewed: a share of them below 1, else their number. Of equal scores as
        many are taken as fit, at random, so their expected recall counts.
    """
    positives, total = hits[-1], units[-1]
    gained, added = np.diff(hits, axis=0, prepend=0), np.diff(units, axis=0, prepend=0)
    missed = added - gained
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(units > 0, hits / units, 0.0)
        above = hits - gained / 2  # positives above a negative of the same step; ties count half
        area = (missed * above).sum(axis=0) / (positives * (total - positives))
        average = (gained * precision).sum(axis=0) / positives
        found, taken = (hits[flagged - 1], units[flagged - 1]) if flagged else (0 * total,) * 2
        reached = _reached(hits, units, total * capacity if capacity < 1 else capacity)
        measured = {
            "roc_auc": area,
            "average_precision": average,
            "f1": 2 * found / (taken + positives),
            "precision": np.where(taken > 0, found / taken, 0.0),
            "recall": found / positives,
            "recall_at_capacity": reached / positives,
        }
    both = (positives > 0) & (positives < total)
    return {name: np.where(both, value, np.nan) for name, value in measured.items()}


def _reached(hits: Floats, units: Floats, capacity: Floats | float) -> Floats:
    """Return the positives among the first `capacity` units of each resample, (R,)."""
    whole = (units <= capacity).sum(axis=0)  # steps that fit
    padded_hits, padded_units = (np.pad(part, ((1, 1), (0, 0)), "edge") for part in (hits, units))
    padded_hits[0] = padded_units[0] = 0
    before, after = (
        (
            np.take_along_axis(padded_hits, step[None], axis=0)[0],
            np.take_along_axis(padded_units, step[None], axis=0)[0],
        )
        for step in (whole, whole + 1)
    )
    room = np.asarray(capacity) - before[1]
    size = after[1] - before[1]
    share = np.divide(room, size, out=np.zeros_like(size), where=size > 0)
    partly: Floats = before[0] + np.minimum(share, 1) * (after[0] - before[0])
    return partly
