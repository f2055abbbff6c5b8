"""Attributions of real, tiny encoders: what adds up, and what is unusual about a sequence."""

import numpy as np
import pytest
import torch

from core.batch import Batch, joined
from core.errors import BadInput
from core.explain.coalitions import every_coalition, exact_values
from core.explain.shapley import attribute, attribute_many
from core.logs.frames import read_events, read_sequences
from core.model.encoder import Encoder, Size
from core.scoring.engine import Scorer
from core.store.home import Home


@pytest.fixture
def scorer(seeded_home: Home) -> Scorer:
    return Scorer.load(seeded_home.model_dir("finetuned"))


def batches(home: Home, scorer: Scorer, count: int) -> list[Batch]:
    sequences = read_sequences(home, "small").head(count)
    events = read_events(home, "small", sequences=sequences["sequence_id"].tolist())
    batch = scorer.encoder.tokenizer.encode(events, sequences)
    return [batch.take([row]) for row in range(count)]


def of_events(batch: Batch, numbers: list[int]) -> Batch:
    """The sequence with these events of `batch` (1 is the first), in this order."""
    pieces = [np.flatnonzero(batch.event == number) for number in [0, *numbers]]
    index = np.concatenate(pieces)
    event = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])
    offsets = np.array([0, len(index)])
    return Batch(batch.ids[index], batch.field[index], event.astype(np.int16), offsets)


def long_scorer(scorer: Scorer, batch: Batch, *, odds: float) -> Scorer:
    """A model of 900 events with random weights: `odds` are the log odds of the score of `batch`.

    With everything hidden they are the opposite.
    """
    encoder = Encoder.create(
        scorer.encoder.tokenizer,
        layout="summed",
        max_events=900,
        size=Size(layers=1, width=32, heads=2),
        seed=0,
    ).with_classifier(0)
    hidden = batch.hidden(batch.field > 0)
    with torch.inference_mode():
        ends = encoder.eval()(joined([hidden, batch])).diff(dim=1)[:, 0]
    with torch.no_grad():
        head = encoder.bert.classifier
        steep = 2 * odds / (ends[1] - ends[0])
        head.weight.mul_(steep)
        head.bias.mul_(steep)[1] -= steep * ends.mean()
    return Scorer("long", encoder, None)


def test_events_have_their_exact_shapley_values(seeded_home: Home, scorer: Scorer) -> None:
    (batch,) = batches(seeded_home, scorer, 1)
    found = attribute(scorer, batch)
    players = int(batch.positions[0])
    scores = [
        float(scorer.predict_proba(batch.hidden((batch.field > 0) & ~present[batch.event]))[0, 1])
        for present in every_coalition(players)
    ]
    assert found.by_event(batch) == pytest.approx(exact_values(np.array(scores)), abs=1e-5)
    assert found.stability == 1.0
    assert found.base_value == pytest.approx(scores[0], abs=1e-6)


def test_several_sequences_together_get_what_each_gets_alone(
    seeded_home: Home, scorer: Scorer
) -> None:
    some = batches(seeded_home, scorer, 3)
    for batch, found in zip(some, attribute_many(scorer, some), strict=True):
        alone = attribute(scorer, batch)
        assert found.values == pytest.approx(alone.values, abs=1e-5)
        assert found.evaluations == alone.evaluations


def test_an_estimate_is_told_before_the_tokens_are_known(seeded_home: Home, scorer: Scorer) -> None:
    (batch,) = batches(seeded_home, scorer, 1)
    told: list[np.ndarray] = []
    found = attribute(scorer, batch, told=told.append)
    assert told[-1] == pytest.approx(found.by_event(batch), abs=1e-9)


def test_one_event_and_one_token_can_be_explained(seeded_home: Home, scorer: Scorer) -> None:
    (batch,) = batches(seeded_home, scorer, 1)
    event = of_events(batch, [1])
    found = attribute(scorer, event)
    assert found.error < 1e-5
    assert np.count_nonzero(found.by_event(event)) == 2
    token = Batch(event.ids[:2], event.field[:2], event.event[:2], np.array([0, 2]))
    found = attribute(scorer, token)
    assert found.values.tolist() == [0.0, found.score - found.base_value]


def test_nothing_to_read_is_no_reason(scorer: Scorer) -> None:
    nothing = Batch(
        np.array([2], np.int32), np.zeros(1, np.int16), np.zeros(1, np.int16), np.array([0, 1])
    )
    found = attribute(scorer, nothing)
    assert found.values.tolist() == [0.0]
    assert found.base_value == found.score


def test_identical_events_that_change_nothing_by_their_place_get_the_same(
    seeded_home: Home, scorer: Scorer
) -> None:
    (batch,) = batches(seeded_home, scorer, 1)
    with torch.no_grad():
        scorer.encoder.bert.bert.embeddings.position_embeddings.weight.zero_()
    same = of_events(batch, [1, 1, 1, 1])
    events = attribute(scorer, same).by_event(same)[1:]
    assert np.ptp(events) < 1e-6


@pytest.mark.parametrize("bias", [-500.0, 500.0])
def test_a_score_of_exactly_0_or_1_is_explained_by_nothing(
    seeded_home: Home, scorer: Scorer, bias: float
) -> None:
    (batch,) = batches(seeded_home, scorer, 1)
    with torch.no_grad():
        scorer.encoder.bert.classifier.bias[1] += bias
    many = of_events(batch, [1, 2, 3] * 7)  # too many for all coalitions
    for one in (batch, many):
        found = attribute(scorer, one)
        assert found.score == float(bias > 0)
        assert np.abs(found.values).max() == 0
        assert found.stability == 1.0


def test_of_900_events_a_harmless_past_is_one_player(seeded_home: Home, scorer: Scorer) -> None:
    (batch,) = batches(seeded_home, scorer, 1)
    many = of_events(batch, [1, 2, 3] * 300)
    calm = attribute(long_scorer(scorer, many, odds=0.01), many)
    assert calm.pruned == 900 - 16
    assert calm.error < 1e-5
    past = calm.by_event(many)[1 : 1 + calm.pruned]
    assert np.ptp(past) < 1e-12
    assert abs(past.sum()) < 0.01


def test_900_events_that_all_matter_are_explained_in_blocks(
    seeded_home: Home, scorer: Scorer
) -> None:
    (batch,) = batches(seeded_home, scorer, 1)
    many = of_events(batch, [1, 2, 3] * 300)
    found = attribute(long_scorer(scorer, many, odds=3.0), many)
    assert found.pruned < 900 - 16
    assert found.error < 1e-5
    assert len(np.unique(found.by_event(many).round(9))) > 20


def test_a_model_that_gives_no_numbers_is_refused(seeded_home: Home, scorer: Scorer) -> None:
    (batch,) = batches(seeded_home, scorer, 1)
    with torch.no_grad():
        scorer.encoder.bert.classifier.bias[1] = float("nan")
    with pytest.raises(BadInput, match="no number"):
        attribute(scorer, batch)
