"""Shapley values of games that are given as numbers, without a model."""

from collections.abc import Callable, Generator
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.explain.coalitions import draw, every_coalition, exact_values, fitted_values
from core.explain.dividing import by_token
from core.explain.players import Players, without
from core.explain.sampling import by_player, sampled
from core.explain.surrogate import sampled_values

Floats = npt.NDArray[np.float64]
Found = TypeVar("Found")
seeds = st.integers(0, 2**32 - 1)


def random_game(players: int, seed: int) -> Callable[[npt.NDArray[np.bool_]], Floats]:
    """A score in (0, 1) in which pairs of players work together."""
    rng = np.random.default_rng(seed)
    alone, pairs = rng.normal(0, 1, players), rng.normal(0, 0.5, (players, players))

    def score(present: npt.NDArray[np.bool_]) -> Floats:
        there = present.astype(np.float64)
        odds = there @ alone + ((there @ pairs) * there).sum(axis=1) - 1
        return np.asarray(1 / (1 + np.exp(-odds)))

    return score


def play(
    steps: Generator[npt.NDArray[np.bool_], Floats, Found],
    score: Callable[[npt.NDArray[np.bool_]], Floats],
) -> Found:
    """Answer what a generator of hidden tokens asks."""
    try:
        hidden = next(steps)
        while True:
            hidden = steps.send(score(~hidden))
    except StopIteration as ended:
        return ended.value  # type: ignore[no-any-return]


@given(players=st.integers(1, 8), seed=seeds)
def test_exact_values_add_up(players: int, seed: int) -> None:
    scores = random_game(players, seed)(every_coalition(players))
    assert exact_values(scores).sum() == pytest.approx(scores[-1] - scores[0], abs=1e-12)


@given(players=st.integers(2, 8), seed=seeds)
def test_players_that_can_be_exchanged_get_the_same(players: int, seed: int) -> None:
    game = random_game(players, seed)
    every = every_coalition(players)
    swapped = every.copy()
    swapped[:, [0, 1]] = every[:, [1, 0]]
    values = exact_values(game(every) + game(swapped))
    assert values[0] == pytest.approx(values[1], abs=1e-12)


@given(players=st.integers(2, 8), seed=seeds)
def test_a_player_that_changes_nothing_gets_nothing(players: int, seed: int) -> None:
    every = every_coalition(players)
    values = exact_values(random_game(players, seed)(every & (np.arange(players) > 0)))
    assert values[0] == 0


def test_exact_values_are_those_of_shap() -> None:
    import shap

    game = random_game(6, 0)
    explainer = shap.explainers.Exact(lambda z: game(z > 0.5), np.zeros((1, 6)))
    theirs = explainer(np.ones((1, 6))).values[0]
    assert exact_values(game(every_coalition(6))) == pytest.approx(theirs, abs=1e-8)


@given(players=st.integers(2, 9), seed=seeds)
def test_with_all_coalitions_the_fit_is_exact(players: int, seed: int) -> None:
    game = random_game(players, seed)
    coalitions, weights = draw(players, 2**players, np.random.default_rng(0))
    every = game(every_coalition(players))
    values = fitted_values(coalitions, weights, game(coalitions), empty=every[0], full=every[-1])
    assert values == pytest.approx(exact_values(every), abs=1e-8)


@given(players=st.integers(2, 40), size=st.integers(2, 300), seed=seeds)
def test_a_draw_holds_coalitions_beside_their_complements(
    players: int, size: int, seed: int
) -> None:
    coalitions, weights = draw(players, size, np.random.default_rng(seed))
    assert ((coalitions.sum(axis=1) > 0) & ~coalitions.all(axis=1)).all()
    assert (coalitions.mean(axis=0) == 0.5).all()
    mass = sum((players - 1) / (k * (players - k)) for k in range(1, players))
    assert weights.sum() == pytest.approx(mass)


def test_a_sample_with_a_surrogate_is_nearer_than_kernel_shap_alone() -> None:
    better = []
    for seed in range(8):
        game = random_game(12, seed)
        every = game(every_coalition(12))
        truth = exact_values(every)
        coalitions, weights = draw(12, 256, np.random.default_rng(seed))
        given_ = (coalitions, weights, game(coalitions))
        ends = {"empty": float(every[0]), "full": float(every[-1])}
        ours, kernel = sampled_values(*given_, **ends), fitted_values(*given_, **ends)
        assert ours.sum() == pytest.approx(every[-1] - every[0], abs=1e-9)
        assert np.corrcoef(ours, truth)[0, 1] > 0.98
        better.append(np.linalg.norm(ours - truth) < np.linalg.norm(kernel - truth))
    assert sum(better) >= 7


def test_a_sample_grows_until_it_is_stable_and_says_how_stable_it_is() -> None:
    groups = np.arange(20)
    easy, asked = random_game(20, 1), []

    def score(present: npt.NDArray[np.bool_]) -> Floats:
        asked.append(len(present))
        return easy(present)

    ends = easy(np.array([[False] * 20, [True] * 20])).tolist()
    found = play(sampled(Players([groups, groups]), 20, *ends), score)
    assert found.values.sum() == pytest.approx(ends[1] - ends[0], abs=1e-9)
    assert 0.9 < found.stability <= 1
    assert len(asked) == 1 or sum(asked[:-1]) < 20 * 64

    noise = np.random.default_rng(0)
    asked.clear()
    found = play(
        sampled(Players([groups, groups]), 20, 0.2, 0.8),
        lambda present: (asked.append(len(present)), noise.random(len(present)))[1],
    )
    assert found.stability < 0.9
    assert sum(asked) > 1000


@pytest.mark.parametrize("seed", range(4))
def test_a_sample_of_few_players_ends_when_no_coalition_is_left_to_ask_for(seed: int) -> None:
    groups, noise, asked = np.arange(9), np.random.default_rng(seed), []

    def score(present: npt.NDArray[np.bool_]) -> Floats:
        asked.append(len(present))
        return noise.random(len(present))

    found = play(sampled(Players([groups, groups]), 200, 0.1, 0.9), score)
    assert found.values.sum() == pytest.approx(0.8, abs=1e-9)
    assert min(asked) > 0
    assert sum(asked) <= 2**9 - 2


@given(seed=seeds)
def test_owen_values_of_tokens_add_up_to_their_event_and_leave_out_dummies(seed: int) -> None:
    event = np.array([0, 0, 1, 1, 1, 2, 2, -1])
    token = np.array([0, 1, 2, 3, 4, 5, 6, -1])
    game = random_game(7, seed)

    def score(present: npt.NDArray[np.bool_]) -> Floats:
        return game(present[:, :7] & (np.arange(7) != 3))  # token 3 changes nothing

    ends = score(np.array([[False] * 8, [True] * 8])).tolist()
    players = Players([event, token])
    values = play(by_player(players, 1, *ends), score).values
    shares = play(by_token(players, values, 1, np.zeros(8, dtype=bool)), score)
    assert shares.sum() == pytest.approx(ends[1] - ends[0], abs=1e-9)
    assert np.bincount(event[:7], weights=shares[:7]) == pytest.approx(values, abs=1e-9)
    assert shares[3] == 0
    assert shares[7] == 0
    assert shares[:7] == pytest.approx(owen_by_all_orders(score, event), abs=1e-9)


def owen_by_all_orders(
    score: Callable[[npt.NDArray[np.bool_]], Floats], event: npt.NDArray[np.int64]
) -> Floats:
    """By definition: the mean gain over all orders in which no event is interrupted."""
    from itertools import permutations, product

    events = [np.flatnonzero(event == number) for number in range(3)]
    rows, orders = [], []
    for outer in permutations(range(3)):
        for inner in product(*(permutations(events[number]) for number in outer)):
            order = [token for part in inner for token in part]
            present = np.zeros((8, 8), dtype=bool)
            for place, token in enumerate(order):
                present[place + 1 :, token] = True
            rows.append(present)
            orders.append(order)
    scores = score(np.concatenate(rows)).reshape(len(rows), 8)
    values = np.zeros(7)
    for order, gains in zip(orders, np.diff(scores, axis=1), strict=True):
        values[order] += gains
    return values / len(orders)


def test_sampled_owen_values_are_near_those_of_all_orders() -> None:
    """Sixteen orders of an event's tokens where all are too many."""
    event = np.repeat(np.arange(5), 6)
    token = np.arange(30)
    rng = np.random.default_rng(0)
    alone = rng.normal(0, 0.5, 30)

    def score(present: npt.NDArray[np.bool_]) -> Floats:
        return np.asarray(1 / (1 + np.exp(-(present @ alone))))

    ends = score(np.array([[False] * 30, [True] * 30])).tolist()
    players = Players([event, token])
    values = play(by_player(players, 1, *ends), score).values
    shares = play(by_token(players, values, 1, np.zeros(30, dtype=bool)), score)
    assert np.bincount(event, weights=shares) == pytest.approx(values, abs=1e-9)
    assert np.corrcoef(shares, alone)[0, 1] > 0.95


def test_what_is_hidden_follows_the_groups() -> None:
    groups = np.array([-1, 0, 0, 1])
    coalitions = np.array([[True, False], [False, True]])
    hidden = without(groups, coalitions)
    assert hidden.tolist() == [[False, False, False, True], [False, True, True, False]]
