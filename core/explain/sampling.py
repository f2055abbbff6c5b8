"""The players' values: from all of their coalitions, or from a sample that grows until stable.

The functions are generators: they give the tokens to hide and are sent the scores, so that the
coalitions of several sequences can share a call of the model.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy.stats import spearmanr

from core.explain.coalitions import Coalitions, Floats, draw, every_coalition, exact_values
from core.explain.players import PER_PLAYER, POSITIONS, Hidden, Players, Scores, without
from core.explain.surrogate import sampled_values

EXACT: Final = 12  # players of whom all coalitions are scored ...
EXACT_POSITIONS: Final = 64_000  # ... where they take no more positions of the encoder
LEAST: Final = 512  # coalitions of a sample ...
LEAST_POSITIONS: Final = 28_000  # ... or more, where those of a short sequence take no longer
MOST_PER_PLAYER: Final = 64
STABLE: Final = 0.95  # rank correlation at which a sample is large enough
NEGLIGIBLE: Final = 0.001  # of the score; halves that differ by no more need no larger sample


@dataclass(frozen=True)
class Values:
    """The players' values and how well they are known."""

    values: Floats  # (players,)
    stability: float = 1.0  # rank correlation with another such sample; 1: all coalitions


@dataclass
class _Sample:
    """Coalitions drawn so far."""

    coalitions: list[Coalitions] = field(default_factory=list)
    weights: list[Floats] = field(default_factory=list)

    def add(self, players: int, size: int, rng: np.random.Generator) -> None:
        coalitions, weights = draw(players, size, rng)
        self.coalitions.append(coalitions)
        self.weights.append(weights * len(weights))  # so a larger draw counts for more


def by_player(
    players: Players,
    cost: int,
    base_value: float,
    score: float,
    told: Callable[[Floats], None] | None = None,
) -> Generator[Hidden, Scores, Values]:
    """Return the players' Shapley values: exact if they are few, else from a growing sample.

    The sample grows until its two independent halves order the players alike, within bounds.
    """
    count, groups = players.count, players.levels[0]
    if count < 2:
        return Values(np.full(count, score - base_value))
    if count <= EXACT and 2**count * cost <= EXACT_POSITIONS:
        inner = yield without(groups, every_coalition(count)[1:-1])
        return Values(exact_values(np.concatenate([[base_value], inner, [score]])))
    found = yield from sampled(players, cost, base_value, score, told)
    return found


def sampled(
    players: Players,
    cost: int,
    base_value: float,
    score: float,
    told: Callable[[Floats], None] | None = None,
    *,
    seed: int = 0,
) -> Generator[Hidden, Scores, Values]:
    """Return the players' Shapley values from a sample of their coalitions."""
    count, groups = players.count, players.levels[0]
    rng = np.random.default_rng(seed)
    size = max(LEAST, LEAST_POSITIONS // cost, PER_PLAYER * count)
    most = max(size, min(MOST_PER_PLAYER * count, POSITIONS // cost))
    most = min(most, 2**count - 2)  # there are no more
    known: dict[bytes, float] = {}
    halves = (_Sample(), _Sample())

    def estimate(*samples: _Sample) -> Floats:
        rows = np.concatenate([part for sample in samples for part in sample.coalitions])
        weights = np.concatenate([part for sample in samples for part in sample.weights])
        rows, inverse = np.unique(rows, axis=0, return_inverse=True)
        weights = np.bincount(inverse, weights=weights).astype(np.float64)
        scores = np.array([known[row.tobytes()] for row in rows])
        return sampled_values(rows, weights, scores, empty=base_value, full=score)

    def grown(size: int) -> Coalitions:
        for half in halves:
            half.add(count, size // 2, rng)
        return _unknown(halves, known)

    new = grown(size)
    while len(new):  # few players have few coalitions: a draw may hold none that is new
        scores = yield without(groups, new)
        known |= zip((row.tobytes() for row in new), scores.tolist(), strict=True)
        values = estimate(*halves)
        if told is not None:
            told(values)
        one, other = (estimate(half) for half in halves)
        stability = alike(one, other)
        near = float(np.abs(one - other).max()) <= NEGLIGIBLE
        if stability >= STABLE or near or len(known) >= most:
            break
        # The first estimate is for the eye.
        new = grown(min(3 * len(known), most - len(known)))
    return Values(values, stability)


def _unknown(halves: tuple[_Sample, _Sample], known: dict[bytes, float]) -> Coalitions:
    rows = np.unique(np.concatenate([half.coalitions[-1] for half in halves]), axis=0)
    return rows[[row.tobytes() not in known for row in rows]]


def alike(one: Floats, other: Floats) -> float:
    """Return the rank correlation of two whole samples, told from two halves of one.

    By the formula of Spearman and Brown (1910): a half is less sure than the whole. Where nothing
    differs there is nothing to disagree on.
    """
    if np.ptp(one) < 1e-9 or np.ptp(other) < 1e-9:
        return 1.0
    halves = float(spearmanr(one, other).statistic)
    return 2 * halves / (1 + halves) if halves > 0 else halves
