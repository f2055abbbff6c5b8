"""What is hidden is hidden from the profile too: it is that of a log with the other events only."""

import numpy as np
import pytest

from core.batch import MASK, Batch
from core.explain.coalitions import every_coalition, exact_values
from core.explain.explaining import read_each
from core.explain.profiled import Profiled
from core.explain.shapley import attribute
from core.logs.frames import actions, read_events, read_mapping, read_sequences
from core.logs.measuring import measure_sequences
from core.logs.profiles import profile_facts
from core.scoring.engine import Scorer
from core.store.home import Home


@pytest.fixture
def scorer(seeded_home: Home) -> Scorer:
    return Scorer.load(seeded_home.model_dir("finetuned"))


def first(home: Home, scorer: Scorer, count: int = 1) -> tuple[list[str], list[Profiled]]:
    ids = read_sequences(home, "small")["sequence_id"].head(count).tolist()
    return ids, read_each(home, scorer, "small", ids)


def without(batch: Batch, events: list[int]) -> np.ndarray:
    """The tokens to hide so that these events (1 is the first) are."""
    return np.isin(batch.event, events)


def profile(batch: Batch) -> dict[int, int]:
    """Field -> token of the profile of the one sequence."""
    own = (batch.event == 0) & (batch.field > 0)
    return dict(zip(batch.field[own].tolist(), batch.ids[own].tolist(), strict=True))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_profile_is_that_of_a_log_with_the_other_events_only(
    seeded_home: Home, scorer: Scorer, number: int
) -> None:
    ids, found = first(seeded_home, scorer, 3)
    one, hidden = found[number], [1, 3]
    events = read_events(seeded_home, "small", sequences=[ids[number]])
    kept = events.drop(events.index[[event - 1 for event in hidden]])
    mapping, names = read_mapping(seeded_home, "small"), actions(seeded_home, "small")
    whole = read_sequences(seeded_home, "small", sequences=[ids[number]])
    facts = measure_sequences(kept, mapping, names).drop(columns="sequence_id")
    changed = whole.assign(**{str(name): facts[name].to_numpy() for name in facts})
    expected = scorer.encoder.tokenizer.encode(kept, changed.astype({"events": np.int64}))
    assert profile(one.hidden_in_turn(without(one, hidden)[None])) == profile(expected)
    assert profile(expected) != profile(one)


def test_facts_about_other_sequences_stay(seeded_home: Home, scorer: Scorer) -> None:
    _, (one,) = first(seeded_home, scorer)
    facts = profile_facts(read_mapping(seeded_home, "small"), actions(seeded_home, "small"))
    about_others = {fact.name for fact in facts if fact.scope == "log"}
    nothing = profile(one.hidden_in_turn((one.event > 0)[None]))
    for number, token in nothing.items():
        stays = scorer.encoder.tokenizer.fields[number - 1].column in about_others
        assert token == (profile(one)[number] if stays else MASK)
    assert about_others
    assert MASK in nothing.values()


def test_only_an_event_of_which_nothing_is_shown_is_hidden_from_the_profile(
    seeded_home: Home, scorer: Scorer
) -> None:
    _, (one,) = first(seeded_home, scorer)
    second = np.flatnonzero(one.event == 2)
    all_but_one = np.zeros(len(one.ids), dtype=bool)
    all_but_one[second[1:]] = True
    copies = one.hidden_in_turn(np.stack([all_but_one, without(one, [2])]))
    assert profile(copies.take([0])) == profile(one)
    assert profile(copies.take([1])) != profile(one)
    assert (copies.take([0]).ids[second[1:]] == MASK).all()


def test_what_no_model_reads_of_an_event_does_not_keep_it_in_the_profile(
    seeded_home: Home, scorer: Scorer
) -> None:
    _, (one,) = first(seeded_home, scorer)
    read = one.reads.copy()
    read[np.flatnonzero(one.event == 2)[1:]] = False  # of event 2 one token is read
    read[one.event == 3] = False  # and of event 3 nothing: it cannot be hidden
    partly = Profiled(one.ids, one.field, one.event, one.offsets, read, one.number, one.profiles)
    found = partly.hidden_in_turn((without(one, [2]) & read)[None])
    assert profile(found) == profile(one.hidden_in_turn(without(one, [2])[None]))


def test_what_no_model_reads_of_a_profile_stays_as_it_is(seeded_home: Home, scorer: Scorer) -> None:
    _, (one,) = first(seeded_home, scorer)
    measured = one.hidden_in_turn(without(one, [1])[None])
    changed = np.flatnonzero((measured.ids != one.ids) & (one.event == 0))
    read = one.reads.copy()
    read[changed[0]] = False
    partly = Profiled(one.ids, one.field, one.event, one.offsets, read, one.number, one.profiles)
    found = partly.hidden_in_turn(without(one, [1])[None])
    assert found.ids[changed[0]] == one.ids[changed[0]]
    assert (found.ids[changed[1:]] == measured.ids[changed[1:]]).all()


def test_hidden_tokens_of_the_profile_stay_hidden(seeded_home: Home, scorer: Scorer) -> None:
    _, (one,) = first(seeded_home, scorer)
    hidden = without(one, [1])
    hidden[1:4] = True
    found = one.hidden_in_turn(hidden[None])
    assert (found.ids[1:4] == MASK).all()
    assert (found.ids[4 : int((one.event == 0).sum())] != MASK).all()


def test_events_get_the_shapley_values_of_their_part_in_the_profile_too(
    seeded_home: Home, scorer: Scorer
) -> None:
    _, (one,) = first(seeded_home, scorer)
    found = attribute(scorer, one)
    hidden = (one.field > 0) & ~every_coalition(int(one.positions[0]))[:, one.event]
    scores = scorer.predict_proba(one.hidden_in_turn(hidden))[:, 1].astype(np.float64)
    assert found.by_event(one) == pytest.approx(exact_values(scores), abs=1e-5)
    assert found.error < 1e-5
    plain = Batch(one.ids, one.field, one.event, one.offsets)
    assert attribute(scorer, plain).by_event(plain) != pytest.approx(exact_values(scores), abs=1e-5)


def test_events_that_are_hidden_do_not_become_earlier_ones(
    seeded_home: Home, scorer: Scorer
) -> None:
    _, (one,) = first(seeded_home, scorer)
    names = [field.column for field in scorer.encoder.tokenizer.fields]
    number = names.index("actor_before") + 1
    assert profile(one.hidden_in_turn(without(one, [1])[None]))[number] == profile(one)[number]
