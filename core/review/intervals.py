"""How far counts and medians of a few decisions can be relied on: intervals of 95 %."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest, bootstrap

QUANTILE: Final = 1.959964  # of the normal distribution
RESAMPLES: Final = 1000
NOTHING: Final = {"value": None, "low": None, "high": None}

Floats = npt.NDArray[np.float64]


def share(number: int, of: int) -> dict[str, float | None]:
    """Return a share with Wilson's interval."""
    if not of:
        return dict(NOTHING)
    interval = binomtest(number, of).proportion_ci(method="wilson")
    return {"value": number / of, "low": float(interval.low), "high": float(interval.high)}


def matched_difference(won: int, lost: int, cases: int) -> dict[str, float | None]:
    """Return the difference of two shares of the same cases.

    The interval is that of Agresti & Min ("Simple improved confidence intervals for comparing
    matched proportions", Statistics in Medicine 2005): half a case is added to each of the four
    cells, so that it does not collapse where nothing changes.

    Parameters
    ----------
    won, lost
        Cases that count only in the second share, and only in the first.
    """
    if not cases:
        return dict(NOTHING)
    total = cases + 2
    middle = (won - lost) / total
    half = QUANTILE * np.sqrt(((won + lost + 1) / total - middle**2) / total)
    return {
        "value": (won - lost) / cases,
        "low": float(middle - half),
        "high": float(middle + half),
    }


def median(values: Floats) -> dict[str, Any]:
    """Return the median of N values with its percentile bootstrap interval."""
    value = float(np.median(values)) if len(values) else None
    low, high = _bootstrap(values, statistic=np.median) if len(values) > 1 else (None, None)
    return {"cases": len(values), "value": value, "low": low, "high": high}


def median_difference(one: Floats, other: Floats) -> dict[str, float | None]:
    """Return by how much the median of `one` is higher, with its percentile bootstrap interval."""
    if min(len(one), len(other)) < 2:
        return dict(NOTHING)
    low, high = _bootstrap(one, other, statistic=_higher)
    return {"value": float(np.median(one) - np.median(other)), "low": low, "high": high}


def _higher(one: Floats, other: Floats, axis: int) -> Floats:
    return np.asarray(np.median(one, axis=axis) - np.median(other, axis=axis))


def _bootstrap(*samples: Floats, statistic: Any) -> tuple[float, float]:
    drawn = bootstrap(
        samples,
        statistic,
        n_resamples=RESAMPLES,
        batch=200,  # resamples held at a time
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)
