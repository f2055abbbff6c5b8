"""Whom to ask about next: what each way chooses, and with what propensity."""

import numpy as np
import pytest
from sqlalchemy import delete

from core.errors import BadInput
from core.review.asking import ask
from core.review.deciding import decide
from core.review.sampling import STRATEGIES, UNKNOWN, Pool, choose
from core.store import cases
from core.store.home import Home
from core.store.tables import cases as cases_table
from core.store.tables import labels as labels_table
from core.store.tables import runs as runs_table


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def pool(known: int = 0, size: int = 100, probable: bool = True) -> Pool:
    """Return units of which the first `known` of each class are labelled; 99 is the strangest."""
    label = np.full(size, UNKNOWN)
    label[:known], label[known : 2 * known] = 0, 1
    place = np.linspace(0, 1, size)
    return Pool(label, place, place if probable else None)


def test_the_margin_is_where_the_model_is_least_sure(rng):
    picked = choose("margin", pool(5), 4, rng)
    assert sorted(picked["row"]) == [48, 49, 50, 51]
    assert set(picked["propensity"]) == {1.0}


def test_a_random_choice_carries_its_share(rng):
    picked = choose("random", pool(10), 20, rng)
    assert set(picked["propensity"]) == {20 / 80}
    assert picked["row"].min() >= 20  # who is labelled is not asked about again
    assert picked["row"].is_unique


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (4, {"outlier": 5, "random": 5}),
        (5, {"margin": 10}),
        (49, {"margin": 10}),
        (50, {"margin": 6, "outlier": 2, "random": 2}),
    ],
)
def test_a_cold_start_has_three_stages(rng, known, expected):
    picked = choose("outlier_then_margin", pool(known, 200), 10, rng)
    assert picked["source"].value_counts().to_dict() == expected
    assert picked["row"].is_unique
    strange = picked.loc[picked["source"] == "outlier", "row"]
    assert set(strange) == set(range(200 - len(strange), 200))
    assert (picked["propensity"] == 1).tolist() == (picked["source"] != "random").tolist()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_before_there_is_a_model_something_is_chosen_all_the_same(rng, strategy):
    picked = choose(strategy, pool(probable=False), 10, rng)
    assert len(picked) == 10
    assert "margin" not in set(picked["source"])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_no_more_are_chosen_than_there_are(rng, strategy):
    picked = choose(strategy, pool(48), 10, rng)
    assert sorted(picked["row"]) == [96, 97, 98, 99]


def test_what_cannot_be_chosen_is_refused(rng):
    with pytest.raises(
        BadInput, match=r"no way to choose 'entropy'\. Accepted: random, margin, out"
    ):
        choose("entropy", pool(), 10, rng)
    with pytest.raises(BadInput, match="0 were asked for"):
        choose("random", pool(), 0, rng)
    with pytest.raises(BadInput, match="nobody left"):
        choose("random", pool(50), 10, rng)


def without_labels(home: Home) -> None:
    with home.engine.begin() as con:
        con.execute(delete(labels_table))


@pytest.mark.slow
def test_asking_adds_cases_that_were_not_there(seeded_home: Home) -> None:
    without_labels(seeded_home)
    with seeded_home.engine.connect() as con:
        before = cases.queue(con, "small")
    decide(seeded_home, int(before["id"].iloc[0]), "unclear", analyst="eva")
    asked = ask(seeded_home, "small", "random", 8)
    assert not set(asked["actor_id"]) & set(before["actor_id"])
    with seeded_home.engine.connect() as con:
        queue = cases.queue(con, "small").set_index("actor_id")
    added = queue.loc[asked["actor_id"]]
    assert set(added["source"]) == {"random"}
    assert set(added["propensity"]) == {8 / (60 - len(before))}
    assert len(queue) == len(before) - 1 + 8
    certain = ask(seeded_home, "small", "margin", 3)
    with seeded_home.engine.connect() as con:
        queue = cases.queue(con, "small").set_index("actor_id")
    assert set(queue.loc[certain["actor_id"], "source"]) == {"margin"}
    assert set(queue.loc[certain["actor_id"], "propensity"]) == {1.0}


@pytest.mark.slow
def test_who_is_asked_for_comes_first_and_who_is_drawn_by_chance_is_not_told_apart(
    seeded_home: Home,
) -> None:
    without_labels(seeded_home)
    with seeded_home.engine.connect() as con:
        before = cases.queue(con, "small")
    asked = ask(seeded_home, "small", "outlier_then_margin", 10)
    assert set(asked["source"]) == {"outlier", "random"}
    with seeded_home.engine.connect() as con:
        queue = cases.queue(con, "small")
        assert cases.next_open(con, "small", skipping=[]) == queue["id"].iloc[0]
    chosen = asked.loc[asked["source"] == "outlier", "actor_id"]
    assert set(queue["actor_id"].head(len(chosen))) == set(chosen)
    rest = queue.iloc[len(chosen) :]
    assert len(rest) == len(before) + 10 - len(chosen)
    assert rest["score"].is_monotonic_decreasing


@pytest.mark.slow
def test_nobody_is_asked_about_twice(seeded_home: Home) -> None:
    with pytest.raises(BadInput, match="asked about already"):
        ask(seeded_home, "small", "random", 5)  # outside labels say all there is to say
    without_labels(seeded_home)
    ask(seeded_home, "small", "outlier_then_margin", 1000)
    with pytest.raises(BadInput, match="asked about already"):
        ask(seeded_home, "small", "random", 5)


@pytest.mark.slow
def test_a_log_without_scores_is_refused(seeded_home: Home) -> None:
    with seeded_home.engine.begin() as con:
        con.execute(delete(cases_table))
        con.execute(delete(runs_table))
    with pytest.raises(BadInput, match="score it first"):
        ask(seeded_home, "small", "random", 5)
