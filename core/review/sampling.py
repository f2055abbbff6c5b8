"""Which units to ask about next, so that few labels teach much.

Three ways to choose, on plain arrays:

``random``
    The rest by chance. Slow to teach, but the only slice from which rates can be estimated.
``margin``
    Where the present model is least sure (Lewis & Gale, SIGIR 1994); at random before there is one.
``outlier_then_margin``
    For rare abuse and a cold start, three stages (after Barata et al., "Active learning for
    imbalanced data under cold start", ICAIF 2021): half the most unusual and half at random, since
    nobody knows yet whether abuse is unusual, until a few of each class are known; then the margin;
    then a mixture of margin, unusual and random, so that abuse of which the model is sure that it
    is harmless is still met.

A choice by a score is certain: its propensity is 1. A choice by chance has the share drawn.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import BadInput

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

UNKNOWN: Final = -1
FEW: Final = 5  # of each class known: from then on a model can be fitted, and be unsure
ENOUGH: Final = 50  # of each class known: from then on the margin has company
COLD: Final = {"outlier": 0.5}  # what is left is drawn at random
MIXTURE: Final = {"margin": 0.6, "outlier": 0.2}


@dataclass(frozen=True)
class Pool:
    """What is known of N units, asked about or not."""

    label: Rows  # (N,), 1, 0, or -1 where nobody has said
    unusualness: Floats  # (N,), more is stranger
    probability: Floats | None = None  # (N,), of abuse; None before the first model
    asked: npt.NDArray[np.bool_] | None = None  # (N,), not to be asked again; default: who has one

    @property
    def free(self) -> Rows:
        """Units that may be asked about."""
        return np.flatnonzero(self.label == UNKNOWN if self.asked is None else ~self.asked)

    def known(self) -> int:
        """Return how many labels the rarer class has."""
        return min(int((self.label == value).sum()) for value in (0, 1))


def random(pool: Pool, size: int, rng: np.random.Generator) -> pd.DataFrame:
    """Choose by chance."""
    free = pool.free
    size = min(size, len(free))
    drawn = np.sort(rng.choice(free, size, replace=False))
    return _picked(drawn, "random", size / max(len(free), 1))


def margin(pool: Pool, size: int, rng: np.random.Generator) -> pd.DataFrame:
    """Choose where the model is least sure."""
    if pool.probability is None:
        return random(pool, size, rng)
    free = rng.permutation(pool.free)  # so that equal margins are drawn by chance
    unsure = np.abs(2 * pool.probability[free] - 1)
    return _picked(free[np.argsort(unsure, kind="stable")[:size]], "margin", 1.0)


def outlier(pool: Pool, size: int, rng: np.random.Generator) -> pd.DataFrame:
    """Choose the most unusual."""
    free = rng.permutation(pool.free)
    strange = np.argsort(-pool.unusualness[free], kind="stable")
    return _picked(free[strange[:size]], "outlier", 1.0)


def outlier_then_margin(pool: Pool, size: int, rng: np.random.Generator) -> pd.DataFrame:
    """Choose mostly the unusual, then by margin, then mixed, by how many labels are known."""
    if pool.probability is None or pool.known() < FEW:
        return _mixed(pool, size, rng, COLD)
    if pool.known() < ENOUGH:
        return margin(pool, size, rng)
    return _mixed(pool, size, rng, MIXTURE)


STRATEGIES: Final[dict[str, Callable[[Pool, int, np.random.Generator], pd.DataFrame]]] = {
    "random": random,
    "margin": margin,
    "outlier_then_margin": outlier_then_margin,
}


def choose(strategy: str, pool: Pool, size: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return up to `size` units of `pool` to ask about: row, source, propensity.

    Raises
    ------
    BadInput
        If there is no such strategy, `size` is not positive, or everybody has been asked about.
    """
    if strategy not in STRATEGIES:
        raise BadInput(
            f"There is no way to choose '{strategy}'. Accepted: {', '.join(STRATEGIES)}."
        )
    if size < 1:
        raise BadInput(f"At least one unit is chosen; {size} were asked for.")
    if not len(pool.free):
        raise BadInput("Everybody has been asked about already: there is nobody left to choose.")
    return STRATEGIES[strategy](pool, size, rng)


def _mixed(
    pool: Pool, size: int, rng: np.random.Generator, shares: dict[str, float]
) -> pd.DataFrame:
    """Choose a share by each way, and the rest at random."""
    ways = {"margin": margin, "outlier": outlier}
    parts: list[pd.DataFrame] = []
    for name, share in shares.items():
        parts.append(ways[name](pool, round(share * size), rng))
        pool = _without(pool, parts[-1])
    parts.append(random(pool, size - sum(map(len, parts)), rng))
    return pd.concat(parts, ignore_index=True)


def _without(pool: Pool, picked: pd.DataFrame) -> Pool:
    """Return the pool with the picked ones asked about."""
    asked = np.ones(len(pool.label), dtype=bool)
    asked[pool.free] = False
    asked[picked["row"]] = True
    return Pool(pool.label, pool.unusualness, pool.probability, asked)


def _picked(rows: Rows, source: str, propensity: float) -> pd.DataFrame:
    return pd.DataFrame({"row": rows, "source": source, "propensity": propensity})
