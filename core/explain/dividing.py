"""How a player's value is divided among its tokens: Owen values.

A token's value is what it adds to a random part of its event in the company of random other events
(Owen, 1977), averaged over the orders. All orders where they are few; else a sample in which
every order comes with its reverse in the opposite company (Mitchell et al., "Sampling
Permutations for Shapley Value Estimation", JMLR 2022). The strongest players get most of them.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from core.explain.coalitions import Floats, context_weights, every_coalition, exact_values
from core.explain.players import Groups, Hidden, Players, Scores, without

EXACT: Final = 12  # other players and tokens together of whom all coalitions are scored
POSITIONS: Final = 175_000  # of the encoder, for all orders of one sequence
PASSES: Final = 6  # orders that a player gets on average ...
MOST_PASSES: Final = 24  # ... and at most


@dataclass(frozen=True)
class _Unit:
    """A group whose value is divided among its parts."""

    value: float
    tokens: npt.NDArray[np.int64]
    part: npt.NDArray[np.int64]  # of each of `tokens`, from 0
    parts: int


@dataclass(frozen=True)
class _Plan:
    """Tokens to hide, (C, T), and what follows from the scores: the gain of each part."""

    hidden: Hidden
    gains: Callable[[Scores], Floats]


def by_token(
    players: Players,
    values: Floats,
    cost: int,
    pruned: npt.NDArray[np.bool_],
    *,
    seed: int = 0,
) -> Generator[Hidden, Scores, Floats]:
    """Divide the players' values among their tokens, (T,), level by level.

    `pruned` tokens, (T,), which are one player because they hardly matter, share evenly.
    """
    rng = np.random.default_rng(seed)
    for depth in range(1, len(players.levels)):
        levels = players.levels[: depth + 1]
        values = yield from _divided(levels, values, cost, pruned, rng)
    tokens = players.levels[-1]
    return np.where(tokens >= 0, np.append(values, 0.0)[tokens], 0.0)


def _divided(
    levels: list[Groups],
    values: Floats,
    cost: int,
    pruned: npt.NDArray[np.bool_],
    rng: np.random.Generator,
) -> Generator[Hidden, Scores, Floats]:
    """Divide the values of the groups of the last level but one among those of the last."""
    *outer, inner = levels
    found = np.zeros(int(inner.max(initial=-1)) + 1)
    units, places = [], []
    for number, value in enumerate(values.tolist()):
        tokens = np.flatnonzero(outer[-1] == number)
        place, part = np.unique(inner[tokens], return_inverse=True)
        found[place] = value / len(place)
        if len(place) > 1 and not pruned[tokens].all():
            units.append(_Unit(value, tokens, part, len(place)))
            places.append(place)
    passes = _passes([(abs(unit.value), unit.parts + 1) for unit in units], cost)
    planned = [
        (unit, place, _plan(unit, outer, count, rng))
        for unit, place, count in zip(units, places, passes, strict=True)
        if count
    ]
    if not planned:
        return found
    scores = yield np.concatenate([plan.hidden for _, _, plan in planned])
    start = 0
    for unit, place, plan in planned:
        gains = plan.gains(scores[start : start + len(plan.hidden)])
        found[place] = adding_up(gains, unit.value)
        start += len(plan.hidden)
    return found


def _passes(units: list[tuple[float, int]], cost: int) -> list[int]:
    """Return how many orders each unit gets, given its absolute value and what an order costs.

    One each, the strongest first, as long as there is room; the rest by value. A unit without
    value or room gets none: its parts share evenly.
    """
    room = min(POSITIONS // cost, PASSES * sum(size for _, size in units))
    total = sum(value for value, _ in units)
    counts = [0] * len(units)
    left = room
    for number in sorted(range(len(units)), key=lambda n: -units[n][0]):
        value, size = units[number]
        if value > 0 and size <= left:
            counts[number], left = 1, left - size
    spare = left
    for number, (value, size) in enumerate(units):
        if counts[number]:
            more = int(spare * value / total / size)
            counts[number] = min(1 + more, MOST_PASSES)
    return counts


def _plan(unit: _Unit, outer: list[Groups], passes: int, rng: np.random.Generator) -> _Plan:
    others = int(outer[0].max())
    if len(outer) == 1 and others + unit.parts <= EXACT:
        return _all_orders(unit, outer[0], others)
    company, order = _company(unit, outer, rng), rng.permutation(unit.parts)
    hidden, orders = [], []
    for turn in range(passes):
        if turn and turn % 2 == 0:
            company, order = _company(unit, outer, rng), rng.permutation(unit.parts)
        elif turn:
            company, order = ~company & (outer[0] >= 0), order[::-1]
        hidden.append(_one_by_one(unit, company, outer, order))
        orders.append(order)

    def gains(scores: Scores) -> Floats:
        steps = np.diff(scores.reshape(passes, unit.parts + 1), axis=1)
        found = np.zeros(unit.parts)
        for order, step in zip(orders, steps, strict=True):
            found[order] += step / passes
        return found

    return _Plan(np.concatenate(hidden), gains)


def _all_orders(unit: _Unit, player: Groups, others: int) -> _Plan:
    """Plan every coalition of the unit's parts in every company."""
    own = player[unit.tokens[0]]
    # The unit's parts become the last players of a game with all others.
    groups = np.where(player > own, player - 1, player)
    groups[unit.tokens] = others + unit.part
    return _Plan(
        without(groups, every_coalition(others + unit.parts)),
        lambda scores: exact_values(
            scores.reshape(2**unit.parts, 2**others) @ context_weights(others)
        ),
    )


def _company(unit: _Unit, outer: list[Groups], rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Draw which tokens outside the unit are there: at each level those of groups before its own.

    (T,); the unit's own tokens are not among them.
    """
    present = np.zeros(len(outer[0]), dtype=bool)
    around = outer[0] >= 0
    for level in outer:
        own = level[unit.tokens[0]]
        numbers = np.unique(level[around])
        place = dict(zip(numbers.tolist(), rng.permutation(len(numbers)).tolist(), strict=True))
        before = [number for number in place if place[number] < place[int(own)]]
        present |= around & np.isin(level, before)
        around &= level == own
    return present


def _one_by_one(
    unit: _Unit, company: npt.NDArray[np.bool_], outer: list[Groups], order: npt.NDArray[np.int64]
) -> Hidden:
    """Return the tokens hidden while the unit's parts come in one after the other, (parts + 1, T).

    The opposite of a company may hold the unit itself; it is left out here.
    """
    turn = np.argsort(order)[unit.part]  # of each token of the unit
    hidden = np.tile((outer[0] >= 0) & ~company, (unit.parts + 1, 1))
    hidden[:, unit.tokens] = turn >= np.arange(unit.parts + 1)[:, None]
    return hidden


def adding_up(gains: Floats, value: float) -> Floats:
    """Return the gains, changed in proportion to their size so that they sum to `value`.

    So a part that never changed the score keeps 0.
    """
    size = np.abs(gains)
    weight = size / size.sum() if size.sum() > 0 else np.full(len(gains), 1 / len(gains))
    return np.asarray(gains + (value - gains.sum()) * weight)
