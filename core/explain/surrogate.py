"""Shapley values of more players than can be enumerated, from few scores.

A surrogate learns the log odds of the score from the sampled coalitions: kernel ridge regression,
in which coalitions are alike that differ in few players, or are as large (counts are facts of a
profile). Its Shapley values cost little, for one product tells what every player adds to a
coalition, and kernel SHAP adds those of what it misses (Witter, Liu & Musco, "Regression-adjusted
Monte Carlo estimators for Shapley values", NeurIPS 2025, with trees where this has a kernel). Its
error is a fraction of that of kernel SHAP alone at equal evaluations (`benchmarks.explain`).
"""

import math
from typing import Final

import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor

from core.explain.coalitions import (
    Coalitions,
    Floats,
    every_coalition,
    exact_values,
    fitted_values,
)

REACH: Final = 2.0  # kernel: exp(-REACH * share of the players in which two coalitions differ)
WIDTH: Final = 0.02  # ... and a Gaussian of their difference in size, as a share of the players
RIDGE: Final = 1e-2
DRAWN: Final = 4_096  # coalitions, or all, in which the surrogate's players come and go
SURE: Final = 1e-6  # a score nearer to 0 or 1 has no larger log odds

# One thread: NumPy's and torch's own threads, and the model's, wait actively for each other's
# turns on the same cores, which took ten times as long as the work.
_threads = ThreadpoolController()


def sampled_values(
    coalitions: Coalitions, weights: Floats, scores: Floats, *, empty: float, full: float
) -> Floats:
    """Return the players' values, (players,), which sum to ``full - empty``.

    Parameters
    ----------
    coalitions, weights
        As `draw` makes them, (C, players) and (C,).
    scores
        In [0, 1], (C,).
    empty, full
        Scores without and with all players.
    """
    with _threads.limit(limits=1):
        players = coalitions.shape[1]
        ends = np.array([[False] * players, [True] * players])
        rows = np.concatenate([ends, coalitions])
        surrogate = _Surrogate(rows, np.concatenate([[empty, full], scores]))
        told = surrogate.scores(rows)
        values = surrogate.values()
        values += (told[1] - told[0] - values.sum()) / players
        return values + fitted_values(
            coalitions, weights, scores - told[2:], empty=empty - told[0], full=full - told[1]
        )


class _Surrogate:
    """Kernel ridge regression of the log odds of scores, (R,), on coalitions, (R, players).

    Single precision halves the time of its products, and the scores have no more.
    """

    def __init__(self, rows: Coalitions, scores: Floats) -> None:
        odds = torch.logit(torch.from_numpy(scores), eps=SURE)
        self._rows = _signs(rows)
        self._middle = odds.mean()
        players = rows.shape[1]
        self._step = REACH / players  # of the kernel's logarithm, a player that differs
        sizes = torch.from_numpy(rows.sum(axis=1)) / players
        every_size = torch.arange(players + 1) / players
        as_large = ((every_size[:, None] - sizes) / WIDTH).square_().div_(-2).exp_()
        kernel = self._alike(self._rows) + as_large[torch.from_numpy(rows.sum(axis=1))]
        ridge = kernel.double() + 2 * RIDGE * torch.eye(len(rows), dtype=torch.double)
        dual = torch.cholesky_solve((odds - self._middle)[:, None], torch.linalg.cholesky(ridge))
        self._dual = dual[:, 0].float()
        self._by_size = as_large @ self._dual  # (players + 1,)

    def scores(self, some: Coalitions) -> Floats:
        """Return the scores of coalitions, (C,)."""
        sizes = torch.from_numpy(some.sum(axis=1))
        return self._score(self._alike(_signs(some)) @ self._dual + self._by_size[sizes])

    def values(self) -> Floats:
        """Return the players' Shapley values, (players,), but for the chance of the draws.

        Each player leaves, or joins, each drawn coalition in turn. In coalitions of all sizes,
        equally often, these are the gains that Shapley values average.
        """
        players = self._rows.shape[1]
        if 2**players <= DRAWN:
            return exact_values(self.scores(every_coalition(players)))
        sizes = np.repeat(np.arange(players + 1), -(-DRAWN // (2 * players + 2)))
        ranks = np.random.default_rng(0).random((len(sizes), players)).argsort(axis=1)
        some = ranks.argsort(axis=1) < sizes[:, None]
        some = np.concatenate([some, ~some])
        signs, size = _signs(some), torch.from_numpy(some.sum(axis=1))[:, None]
        weighted = self._alike(signs) * self._dual
        whole = weighted.sum(dim=1, keepdim=True)
        # A player that turns moves a coalition a step nearer to the rows it differed from in it,
        # and a step away from the others.
        turned = whole * math.cosh(self._step) - signs * (weighted @ self._rows) * math.sinh(
            self._step
        )
        before = self._score(whole + self._by_size[size])
        after = self._score(turned + self._by_size[size - signs.long()])
        return np.asarray(((before - after) * signs.numpy()).mean(axis=0))

    def _alike(self, some: Tensor) -> Tensor:
        """Return how far coalitions, as signs, differ in the same players as the rows, (C, R)."""
        # The number of players in which two coalitions differ is (players - product) / 2.
        return (some @ self._rows.T).sub_(some.shape[1]).mul_(self._step / 2).exp_()

    def _score(self, odds: Tensor) -> Floats:
        return np.asarray((odds.double() + self._middle).sigmoid().numpy(), dtype=np.float64)


def _signs(some: Coalitions) -> Tensor:
    return torch.from_numpy(some).float() * 2 - 1
