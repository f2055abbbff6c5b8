"""Shapley values from the scores of coalitions: of all of them, or of a sample.

A coalition is a row of a boolean matrix, a player a column (Shapley, "A value for n-person games",
1953). With few players all coalitions are scored. With more, a sample is, and the values solve the
weighted least squares of kernel SHAP (Lundberg & Lee, NeurIPS 2017), every coalition beside its
complement (Covert & Lee, "Improving KernelSHAP", AISTATS 2021).

shap's own explainers call the model themselves, one sequence at a time and with a budget fixed in
advance. Here the scoring lies outside: coalitions of many sequences go through the model together,
and a sample grows until it is stable. The tests hold these values to shap's.
"""

from itertools import combinations
from math import comb

import numpy as np
import numpy.typing as npt

Coalitions = npt.NDArray[np.bool_]  # (C, players)
Floats = npt.NDArray[np.float64]


def every_coalition(players: int) -> Coalitions:
    """Return all coalitions, (2 ** players, players): row r holds the players of r's bits."""
    codes = np.arange(2**players)[:, None]
    found: Coalitions = (codes >> np.arange(players)) & 1 > 0
    return found


def exact_values(scores: Floats) -> Floats:
    """Return the Shapley values, (players,), from the scores of `every_coalition`."""
    players = len(scores).bit_length() - 1
    codes = np.arange(len(scores))
    weight = _share_of_orders(players)[every_coalition(players).sum(axis=1)]
    values = np.zeros(players)
    for player in range(players):
        without = codes[codes >> player & 1 == 0]
        gained = scores[without | 1 << player] - scores[without]
        values[player] = weight[without] @ gained
    return values


def context_weights(others: int) -> Floats:
    """Return how often each of `every_coalition` of the others stands before a player."""
    return np.asarray(_share_of_orders(others + 1)[every_coalition(others).sum(axis=1)])


def draw(players: int, size: int, rng: np.random.Generator) -> tuple[Coalitions, Floats]:
    """Draw about `size` coalitions of at least two players with their weights, (C, n) and (C,).

    Sizes are drawn as kernel SHAP weighs them; all coalitions of a size are taken, once, where the
    draw would hold as many. The weights of a draw sum to the kernel's, whatever its `size`.
    """
    sizes = np.arange(1, players // 2 + 1)
    halves = np.where(2 * sizes == players, 2, 1)  # a complement of half the players is as large
    there = np.array([comb(players, int(k)) for k in sizes], dtype=np.float64) / halves
    mass = (players - 1) / (sizes * (players - sizes)) / halves
    drawn, weights = [], []
    for k, count in zip(sizes.tolist(), _counts(size // 2, mass, there).tolist(), strict=True):
        some = _of_size(players, k, count, rng)
        drawn += [some, ~some]
        weights.append(np.full(2 * len(some), mass[k - 1] / max(len(some), 1)))
    return np.concatenate(drawn), np.concatenate(weights)


def fitted_values(
    coalitions: Coalitions, weights: Floats, scores: Floats, *, empty: float, full: float
) -> Floats:
    """Return the values, (players,), that fit the `scores` best and sum to ``full - empty``."""
    last = coalitions[:, -1:].astype(np.float64)
    design = coalitions[:, :-1] - last
    target = scores - empty - last[:, 0] * (full - empty)
    weighted = design.T * weights
    # By the normal equations: as many as players, not as coalitions; too few leave them singular.
    values = np.linalg.lstsq(weighted @ design, weighted @ target, rcond=None)[0]
    return np.append(values, full - empty - values.sum())


def _share_of_orders(players: int) -> Floats:
    """Return in what share of all orders given players, by their number, stand before another."""
    return np.array([1 / (players * comb(players - 1, k)) for k in range(players)] + [0.0])


def _counts(pairs: int, mass: Floats, there: Floats) -> npt.NDArray[np.int64]:
    """Divide `pairs` among the sizes by `mass`; none gets more than are `there`, none nothing."""
    counts = np.zeros(len(mass))
    open_ = np.ones(len(mass), dtype=bool)
    while open_.any():
        wanted = (pairs - counts.sum()) * mass / mass[open_].sum()
        full = open_ & (wanted >= there)
        if not full.any():
            counts[open_] = wanted[open_]
            break
        counts[full] = there[full]
        open_ &= ~full
    return np.minimum(np.maximum(np.rint(counts), 1), there).astype(np.int64)


def _of_size(players: int, size: int, count: int, rng: np.random.Generator) -> Coalitions:
    """Return `count` coalitions of one size, drawn, or all of them where there are no more."""
    everything = comb(players, size) // (2 if 2 * size == players else 1)
    if count < everything:
        ranks = rng.random((count, players)).argsort(axis=1).argsort(axis=1)
        return np.asarray(ranks < size)
    found = np.zeros((everything, players), dtype=bool)
    # Of two complements of equal size the first half of the list has one each.
    for row, members in zip(found, combinations(range(players), size), strict=False):
        row[list(members)] = True
    return found
