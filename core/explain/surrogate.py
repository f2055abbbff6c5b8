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
        As `draw` makes them, (C, players) and (C,): with each its complement.
    scores
        In [0, 1], (C,).
    empty, full
        Scores without and with all players.
    """
    with _threads.limit(limits=1):
        players = coalitions.shape[1]
        order = np.lexsort(coalitions.T)
        half = len(order) // 2  # sorted, each coalition is as far from the start as its complement
        pairs = np.stack([order[:half], order[: half - 1 : -1]])  # (2, C / 2)
        rows = np.concatenate([np.zeros((1, players), dtype=bool), coalitions[pairs[0]]])
        known = np.concatenate([[[empty], [full]], scores[pairs]], axis=1)
        surrogate = _Surrogate(rows, known)
        told = np.stack([surrogate.scores(rows), surrogate.scores(~rows)])
        values = surrogate.values()
        values += (told[1, 0] - told[0, 0] - values.sum()) / players
        missed = np.empty_like(scores)
        missed[pairs] = (known - told)[:, 1:]
        ends = {"empty": empty - told[0, 0], "full": full - told[1, 0]}
        return values + fitted_values(coalitions, weights, missed, **ends)


class _Surrogate:
    """Kernel ridge regression of the log odds of scores on coalitions and their complements.

    Two coalitions are as alike as their complements are. So the kernel of R coalitions and theirs
    is ``[[A, B], [B, A]]``, and two systems of R equations, for sums and for differences, stand for
    one of twice as many. Products are of single precision; the scores have no more.

    Parameters
    ----------
    rows
        Coalitions, (R, players).
    scores
        Theirs and those of their complements, (2, R).
    """

    def __init__(self, rows: Coalitions, scores: Floats) -> None:
        odds = torch.logit(torch.from_numpy(scores), eps=SURE)
        self._rows = _signs(rows)
        self._middle = odds.mean()
        players = rows.shape[1]
        self._step = REACH / players  # of the kernel's logarithm, a player that differs
        size = torch.from_numpy(rows.sum(axis=1))
        every_size = torch.arange(players + 1)[:, None, None]
        apart = (every_size - torch.stack([size, players - size])) / (players * WIDTH)
        as_large = apart.square_().div_(-2).exp_()  # (players + 1, 2, R)
        same, other = self._alike(self._rows)
        same, other = same + as_large[size, 0], other + as_large[size, 1]
        of_rows, of_others = odds - self._middle
        both = _solved(same + other, of_rows + of_others)
        more = _solved(same - other, of_rows - of_others)
        self._dual = torch.stack([both + more, both - more]).div_(2).float()  # (2, R)
        self._by_size = (as_large * self._dual).sum((1, 2))  # (players + 1,)

    def scores(self, some: Coalitions) -> Floats:
        """Return the scores of coalitions, (C,)."""
        same, other = self._alike(_signs(some))
        size = torch.from_numpy(some.sum(axis=1))
        return self._score(same @ self._dual[0] + other @ self._dual[1] + self._by_size[size])

    def values(self) -> Floats:
        """Return the players' Shapley values, (players,), but for the chance of the draws.

        Each player leaves, or joins, each drawn coalition, and its complement, in turn. In
        coalitions of all sizes, equally often, these are the gains that Shapley values average.
        """
        players = self._rows.shape[1]
        if 2**players <= DRAWN:
            return exact_values(self.scores(every_coalition(players)))
        sizes = np.repeat(np.arange(players + 1), -(-DRAWN // (2 * players + 2)))
        ranks = np.random.default_rng(0).random((len(sizes), players)).argsort(axis=1)
        signs = _signs(ranks.argsort(axis=1) < sizes[:, None])
        same, other = self._alike(signs)
        of_rows, of_others = self._dual
        drawn = self._gains(same * of_rows, other * of_others, signs, signs)
        turned = self._gains(same * of_others, other * of_rows, signs, -signs)
        return np.asarray((drawn + turned).mean(axis=0) / 2)

    def _gains(self, same: Tensor, other: Tensor, drawn: Tensor, signs: Tensor) -> Floats:
        """Return what each player adds to coalitions, (C, players), as `signs`.

        `same` and `other` are what is said of them by the rows or complements, (C, R), that are
        like the `drawn` coalitions, and by those that are like their complements.
        """
        whole = (same.sum(dim=1) + other.sum(dim=1))[:, None]
        # A player that turns moves a coalition a step nearer to the rows it differed from in it,
        # and a step away from the others.
        nearer = drawn * ((same - other) @ self._rows)
        turned = whole * math.cosh(self._step) - nearer * math.sinh(self._step)
        size = (signs > 0).sum(dim=1, keepdim=True)
        before = self._score(whole + self._by_size[size])
        after = self._score(turned + self._by_size[size - signs.long()])
        return np.asarray((before - after) * signs.numpy())

    def _alike(self, some: Tensor) -> tuple[Tensor, Tensor]:
        """Return how far coalitions, as signs, agree with the rows and with their complements.

        The number of players in which two coalitions differ is (players - product) / 2.
        """
        players = self._rows.shape[1]
        same = (some @ self._rows.T).sub_(players).mul_(self._step / 2).exp_()
        return same, math.exp(-players * self._step) / same

    def _score(self, odds: Tensor) -> Floats:
        return np.asarray((odds.double() + self._middle).sigmoid().numpy(), dtype=np.float64)


def _solved(kernel: Tensor, odds: Tensor) -> Tensor:
    """Return the weights of R rows by ridge regression, (R,)."""
    ridge = kernel.double() + 2 * RIDGE * torch.eye(len(kernel), dtype=torch.double)
    return torch.cholesky_solve(odds[:, None], torch.linalg.cholesky(ridge))[:, 0]


def _signs(some: Coalitions) -> Tensor:
    return torch.from_numpy(some).float() * 2 - 1
