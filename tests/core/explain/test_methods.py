"""Other methods than Shapley values, on real, tiny encoders: what each promises."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from core.batch import Batch
from core.errors import BadInput
from core.explain.methods import METHODS, _coefficients, _gradients, check_defined
from core.explain.shapley import Attribution
from core.logs.frames import read_events, read_sequences
from core.model.encoder import Encoder, Layout, Size
from core.model.inference import of_abuse
from core.scoring.engine import Scorer
from core.store.home import Home


@pytest.fixture
def scorer(seeded_home: Home) -> Scorer:
    return Scorer.load(seeded_home.model_dir("finetuned"))


@pytest.fixture
def batch(seeded_home: Home, scorer: Scorer) -> Batch:
    """A sequence of several events that the model flags."""
    sequences = read_sequences(seeded_home, "small")
    one = sequences[sequences["actor_id"] == "u003"]
    events = read_events(seeded_home, "small", actors=["u003"])
    return scorer.encoder.tokenizer.encode(events, one)


def with_layout(scorer: Scorer, layout: Layout) -> Scorer:
    """A model of two layers with random weights."""
    size = Size(layers=2, width=32, heads=2)
    made = Encoder.create(
        scorer.encoder.tokenizer, layout=layout, max_events=400, size=size, seed=0
    )
    return replace(scorer, encoder=made.with_classifier(0).eval(), model_id=layout)


def without(batch: Batch, chosen: np.ndarray) -> Batch:
    return batch.hidden(chosen & (batch.field > 0))


def score(scorer: Scorer, batch: Batch) -> float:
    return float(scorer.predict_proba(batch)[0, 1])


@pytest.mark.parametrize("name", METHODS)
def test_every_method_gives_a_value_to_every_token_that_sums_by_event(
    scorer: Scorer, batch: Batch, name: str
) -> None:
    found = METHODS[name](scorer, batch)
    assert isinstance(found, Attribution)
    assert found.values.shape == batch.ids.shape
    assert np.isfinite(found.values).all()
    assert found.values[batch.field == 0].tolist() == [0.0]
    assert len(found.by_event(batch)) == batch.positions[0]
    assert found.score == pytest.approx(score(scorer, batch), abs=1e-6)
    assert found.base_value == pytest.approx(score(scorer, without(batch, batch.event >= 0)))
    assert found.evaluations > 0


@pytest.mark.parametrize("layout", ["summed", "inline"])
def test_integrated_gradients_add_up_to_the_score(
    scorer: Scorer, batch: Batch, layout: Layout
) -> None:
    assert METHODS["integrated_gradients"](scorer, batch).error > 1e-3  # counters have none
    scorer.encoder.counters = None
    for one in (scorer, with_layout(scorer, layout)):
        found = METHODS["integrated_gradients"](one, batch)
        assert found.error < 1e-4


def test_a_gradient_is_what_a_small_step_of_an_embedding_does(scorer: Scorer, batch: Batch) -> None:
    encoder = scorer.encoder
    whole = np.array([1.0])
    found = _gradients(encoder, batch, points=whole, shares=whole)[0]
    with torch.inference_mode():
        own, hidden = encoder.words(batch), encoder.words(batch.hidden(batch.field > 0))

        def at(place: int, step: float) -> float:
            words = own.clone()
            words[place] += step * (own - hidden)[place]
            return float(of_abuse(encoder, encoder.read_words(batch, words)))

        for place in range(1, len(own), 7):
            slope = (at(place, 0.01) - at(place, -0.01)) / 0.02
            assert float(found[place]) == pytest.approx(slope, abs=1e-3)


def test_occlusion_is_what_hiding_an_event_takes_from_the_score(
    scorer: Scorer, batch: Batch
) -> None:
    found = METHODS["occlusion"](scorer, batch)
    whole = score(scorer, batch)
    drops = [
        whole - score(scorer, without(batch, batch.event == n)) for n in range(batch.event[-1])
    ]
    assert found.by_event(batch)[:-1] == pytest.approx(drops, abs=1e-6)


@pytest.mark.parametrize("layout", ["summed", "inline"])
def test_attention_rollout_is_the_product_of_the_stock_models_attentions(
    scorer: Scorer, batch: Batch, layout: Layout
) -> None:
    model = with_layout(scorer, layout)
    bert = model.encoder.bert.bert
    bert.set_attn_implementation("eager")
    inputs, _ = model.encoder._inputs(batch)
    with torch.inference_mode():
        attentions = bert(**inputs, output_attentions=True).attentions
    product = torch.eye(attentions[0].shape[-1])
    for weights in attentions:
        product = (weights[0].mean(0) + torch.eye(len(product))) / 2 @ product
    expected = product[0].numpy()
    found = METHODS["attention_rollout"](model, batch).by_event(batch)
    if layout == "inline":
        shown = np.where(batch.field > 0, expected, 0)
        expected = np.bincount(batch.event, weights=shown)
    assert found == pytest.approx(expected, abs=1e-5)


def test_lime_finds_the_coefficients_of_a_linear_score() -> None:
    truth = np.array([0.3, -0.1, 0.0, 0.2])
    groups = np.array([-1, 0, 0, 1, 2, 3])

    def linear(hidden: np.ndarray) -> np.ndarray:
        return 0.2 + ~hidden[:, [1, 3, 4, 5]] @ truth

    assert _coefficients(linear, groups, 10_000) == pytest.approx(truth, abs=0.01)


@pytest.mark.parametrize("name", ["occlusion", "lime"])
def test_of_a_long_sequence_neighbours_share_and_the_budget_holds(
    scorer: Scorer, batch: Batch, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 5
    monkeypatch.setattr("core.explain.methods.POSITIONS", most * scorer.cost(batch))
    found = METHODS[name](scorer, batch)
    assert found.evaluations <= 2 + 2 * (most + 1)
    events = found.by_event(batch)[1:]
    width = -(-len(events) // (most - 1))
    assert width > 1
    alike = [np.isclose(one, other) for one, other in pairwise(events)]
    # The tokens of all events cannot be afforded: within a block all share evenly.
    assert sum(alike) >= len(events) - -(-len(events) // width)


@pytest.mark.parametrize("name", METHODS)
def test_one_token_and_none_can_be_explained(scorer: Scorer, batch: Batch, name: str) -> None:
    one = Batch(batch.ids[:2], batch.field[:2], batch.event[:2], np.array([0, 2]))
    assert METHODS[name](scorer, one).values[0] == 0.0
    none = Batch(batch.ids[:1], batch.field[:1], batch.event[:1], np.array([0, 1]))
    assert METHODS[name](scorer, none).values.tolist() == [0.0]


@pytest.mark.parametrize("name", ["integrated_gradients", "attention_rollout"])
def test_a_model_without_labels_has_no_gradient_and_says_what_is_accepted(
    seeded_home: Home, batch: Batch, name: str
) -> None:
    unlabelled = Scorer.load(seeded_home.model_dir("pretrained"))
    with pytest.raises(BadInput, match=r"learned without labels.*shap, occlusion, lime"):
        METHODS[name](unlabelled, batch)


@pytest.mark.parametrize("name", ["occlusion", "lime"])
def test_a_model_without_labels_is_explained_by_what_hides(
    seeded_home: Home, batch: Batch, name: str
) -> None:
    unlabelled = Scorer.load(seeded_home.model_dir("pretrained"))
    assert np.ptp(METHODS[name](unlabelled, batch).values) > 0


def test_a_method_that_does_not_exist_is_refused(scorer: Scorer) -> None:
    with pytest.raises(BadInput, match=r"no method 'magic'\. Methods: shap, "):
        check_defined("magic", scorer)
