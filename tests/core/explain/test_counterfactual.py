"""What would clear a case: checked by scoring it, and against trying everything."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.explain.counterfactual import (
    BUDGET,
    Answer,
    Counterfactual,
    as_edits,
    find_counterfactual,
)
from core.explain.edits import Edits
from core.explain.explaining import explain_sequence
from core.explain.naming import events_in_words
from core.explain.whatif import Experiment
from core.logs.frames import read_sequences
from core.scoring.engine import Scorer
from core.store.home import Home, open_home


@pytest.fixture(scope="module")
def opened(seeded: Path) -> Home:
    """The seeded home, for reading only."""
    return open_home(seeded / "home")


@pytest.fixture(scope="module")
def experiment(opened: Home) -> Experiment:
    """A short sequence that the model flags."""
    scorer = Scorer.load(opened.model_dir("finetuned"))
    sequences = read_sequences(opened, "small").set_index("actor_id")
    one = str(sequences.loc["u000", "sequence_id"])
    return Experiment.read(opened, scorer, "small", one)


@pytest.fixture(scope="module")
def every_score(experiment: Experiment) -> dict[tuple[int, ...], float]:
    """Score of the sequence with each choice of its events, by the what-if, one by one."""
    events = range(len(experiment.own))
    chosen = [one for size in range(1, len(events) + 1) for one in combinations(events, size)]
    return {
        kept: experiment.run(Edits(delete=sorted(set(events) - set(kept)))).score for kept in chosen
    }


@pytest.fixture(params=[0.02, 0.1, 0.4, 0.75, 0.98])
def threshold(request: pytest.FixtureRequest, every_score: dict[tuple[int, ...], float]) -> float:
    """A line between the lowest of these scores and that of the whole sequence."""
    scores = sorted(every_score.values())
    whole = every_score[max(every_score, key=len)]
    low = min(scores[0], whole)
    return float(low + request.param * (whole - low))


def test_the_answers_are_the_smallest_there_are(
    experiment: Experiment, every_score: dict[tuple[int, ...], float], threshold: float
) -> None:
    everything = set(max(every_score, key=len))
    found = find_counterfactual(experiment, threshold)
    assert found.without is not None
    assert found.alone is not None
    clearing = [len(everything) - len(kept) for kept, s in every_score.items() if s < threshold]
    flagged = [len(kept) for kept, score in every_score.items() if score >= threshold]
    assert found.without.proven
    assert found.alone.proven
    assert len(found.without.events or ()) == (min(clearing) if clearing else 0)
    assert len(found.alone.events or ()) == min(flagged)


def test_trying_an_answer_gives_the_score_it_was_promised(experiment: Experiment) -> None:
    threshold = experiment.before - 0.02
    found = find_counterfactual(experiment, threshold)
    events = len(experiment.own)
    for answer, alone in ((found.without, False), (found.alone, True)):
        assert answer is not None
        assert answer.events is not None
        tried = experiment.run(as_edits(answer, events, alone=alone))
        assert tried.score == pytest.approx(answer.score, abs=1e-6)
        assert (tried.score >= threshold) == alone


def test_no_event_of_an_answer_can_be_spared_even_on_a_small_budget(
    experiment: Experiment, every_score: dict[tuple[int, ...], float]
) -> None:
    everything = max(every_score, key=len)
    threshold = every_score[everything] - 0.01
    found = find_counterfactual(experiment, threshold, budget=3 * len(everything))
    assert found.alone is not None
    kept = tuple(found.alone.events or ())
    for spared in kept if len(kept) > 1 else ():
        assert every_score[tuple(e for e in kept if e != spared)] < threshold


def test_a_search_without_budget_says_so(experiment: Experiment) -> None:
    lowest = experiment.before - 1e-9
    found = find_counterfactual(experiment, min(lowest, 1e-9), budget=2)
    assert found.without is not None
    assert found.without.events is None
    assert not found.without.proven
    assert found.without.words.startswith("No events were found whose removal clears it")


def test_what_nothing_clears_is_said_after_trying_everything(experiment: Experiment) -> None:
    found = find_counterfactual(experiment, 0.0)
    assert found.without == Answer(
        None,
        found.without.score,
        True,
        found.without.words,  # type: ignore[union-attr]
    )
    assert found.without.words.startswith("Whatever is left out, it stays flagged")


def test_a_sequence_that_passes_needs_no_answer(experiment: Experiment) -> None:
    above = float(np.nextafter(experiment.before, 2))
    found = find_counterfactual(experiment, above)
    assert found == Counterfactual(experiment.before, above, None, None)


def test_one_event_alone_cannot_be_left_out(opened: Home, experiment: Experiment) -> None:
    first = experiment.events.head(1)
    sequence = experiment.sequence.assign(events=1)
    alone = Experiment(
        opened, "small", experiment.scorer, sequence, first, experiment.mapping,
        experiment.actions, 0.9,
    )  # fmt: skip
    found = find_counterfactual(alone, 0.0)
    assert found.without is not None
    assert found.without.words == "It has one event only: there is nothing to leave out."
    assert found.alone is not None
    assert found.alone.events == [0]


def test_the_attribution_guides_the_search_to_the_same_goal(
    seeded_home: Home, experiment: Experiment
) -> None:
    threshold = experiment.before - 0.05
    why = explain_sequence(seeded_home, experiment.scorer, "small", experiment.sequence_id)
    values = [event.value for event in why.events]
    guided = find_counterfactual(experiment, threshold, attribution=values, budget=BUDGET)
    plain = find_counterfactual(experiment, threshold)
    assert guided.without is not None
    assert plain.without is not None
    assert len(guided.without.events or ()) == len(plain.without.events or ())


def events(*actions: str, seconds: int = 20) -> pd.DataFrame:
    start = pd.Timestamp("2026-01-01", tz="UTC")
    times = [start + pd.Timedelta(seconds=seconds * place) for place in range(len(actions))]
    return pd.DataFrame({"action": actions, "ts": times})


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (events("order"), "this order"),
        (events("order", "order", "order"), "these 3 orders in 40 s"),
        (events("search", "search"), "these 2 searches in 20 s"),
        (events("order", "view", "order"), "these 3 events (2 orders, 1 view) in 40 s"),
        (events("add_to_cart"), "this event (add_to_cart)"),
        (events("加购", "加购"), "these 2 events (2 × 加购) in 20 s"),
        (events("a", "b", "c", "d", "e"),
         "these 5 events (1 a, 1 b, 1 c, 2 others) in 80 s"),
        (events("order", "order").assign(ts=pd.NaT), "these 2 orders"),
    ],
)  # fmt: skip
def test_events_are_said_in_words(told: pd.DataFrame, said: str) -> None:
    assert events_in_words(told, "this", "these") == said
