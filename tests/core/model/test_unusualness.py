"""What a model without labels calls unusual."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.batch import Batch
from core.errors import BadInput
from core.fields import OTHER
from core.govern.log import read_log
from core.model.batching import Parts
from core.model.checkpoint import Checkpoint
from core.model.masking import surprise_masks, training_mask
from core.model.patterns import Patterns
from core.model.pretrain import PretrainConfig, pretrain
from core.model.surprise import strangest, token_surprise
from core.model.unusualness import Reference, Unusualness
from core.scoring.engine import Scorer
from core.store.home import Home


@pytest.fixture
def scorer(seeded_home: Home) -> Scorer:
    return Scorer.load(seeded_home.model_dir("pretrained"))


@pytest.fixture
def batch(seeded_home: Home, scorer: Scorer) -> Batch:
    return read_log(seeded_home, "small").encode(scorer.encoder.tokenizer)


def test_every_token_but_cls_is_measured_once(batch: Batch) -> None:
    times = np.zeros(len(batch.ids), dtype=int)
    for hidden, counted in surprise_masks(batch):
        assert hidden[counted].all()
        times += counted
    np.testing.assert_array_equal(times, (batch.field > 0).astype(int))


def test_pre_training_hides_single_tokens_whole_events_and_whole_profiles(batch: Batch) -> None:
    shares = {"token_share": 0.0, "event_share": 0.0, "profile_share": 0.0, "blank_share": 0.0}
    for name, inside in (
        ("token_share", batch.field > 0),
        ("event_share", batch.event > 0),
        ("profile_share", (batch.event == 0) & (batch.field > 0)),
        ("blank_share", batch.event > 0),
    ):
        hidden = training_mask(batch, np.random.default_rng(0), **(shares | {name: 0.3}))
        assert 0 < hidden.sum() < inside.sum()
        assert not hidden[~inside].any()
        group = {"token_share": np.arange(len(batch.ids)), "blank_share": batch.owner}
        of_group = group.get(name, batch.group)[inside]
        share = np.bincount(of_group, hidden[inside]) / np.maximum(np.bincount(of_group), 1)
        assert set(np.unique(share)) == {0.0, 1.0}  # whole or not at all


def test_an_event_s_surprise_is_the_sum_over_its_tokens(scorer: Scorer, batch: Batch) -> None:
    one = batch.take([7])
    tokens = token_surprise(scorer.encoder, one).numpy()
    events = np.bincount(one.event, weights=tokens)[1:]
    names = [field.name for field in scorer.encoder.tokenizer.fields]
    of_the_log = one.field == names.index("pattern_count") + 1
    profile = tokens[(one.event == 0) & ~of_the_log].max()
    expected = [max(events.max(), 0), max(profile, 0)]
    found = strangest(scorer.encoder, one).numpy()[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_an_action_no_other_sequence_has_is_surprising(scorer: Scorer, batch: Batch) -> None:
    encoder = scorer.encoder
    whole = Parts([len(batch)], lambda number: batch)
    config = PretrainConfig(epochs=100)
    pretrain(encoder, whole, config, seed=0, report=lambda _: None, checkpoint=Checkpoint(None))
    number = [field.name for field in encoder.tokenizer.fields].index("action") + 1
    ids = batch.ids.copy()
    place = np.flatnonzero((batch.field == number) & (batch.owner == 7))[2]
    ids[place] = encoder.tokenizer.starts[number - 1]  # action=missing
    assert token_surprise(encoder, replace(batch, ids=ids))[place] > 2


def test_patterns_are_counted_with_and_without_the_sequences_themselves(
    scorer: Scorer, batch: Batch
) -> None:
    tokenizer = scorer.encoder.tokenizer
    three = batch.take([0, 0, 5])
    patterns = Patterns.fit(tokenizer, [three.take([0, 2]), three.take([1])])
    assert patterns.total == 3
    np.testing.assert_allclose(patterns.rarity(three), np.log([4 / 3, 4 / 3, 4 / 2]))
    np.testing.assert_allclose(patterns.rarity(three, itself=True), np.log([4 / 2, 4 / 2, 4]))


def test_a_pattern_nobody_had_is_rarer_than_one_that_somebody_had(
    scorer: Scorer, batch: Batch
) -> None:
    patterns = Patterns.fit(scorer.encoder.tokenizer, [batch.take([0, 0, 5])])
    never = batch.take([5]).hidden(np.zeros(len(batch.take([5]).ids), bool))
    ids = never.ids.copy()
    ids[np.flatnonzero(never.field == patterns.field[0])[0]] = patterns.field[1] + OTHER
    assert patterns.rarity(replace(never, ids=ids)) > patterns.rarity(never)


def test_hidden_actions_fit_every_pattern_that_has_the_others(scorer: Scorer, batch: Batch) -> None:
    patterns = Patterns.fit(scorer.encoder.tokenizer, [batch])
    one = batch.take([5])
    actions = one.field == patterns.field[0]
    everything = patterns.rarity(one.hidden(actions))
    part = patterns.rarity(one.hidden(actions & (np.cumsum(actions) > 1)))
    whole = patterns.rarity(one)
    assert everything == 0
    assert everything <= part <= whole


def test_an_action_the_model_does_not_know_makes_a_pattern_of_its_own(
    scorer: Scorer, batch: Batch
) -> None:
    patterns = Patterns.fit(scorer.encoder.tokenizer, [batch.take([0] * 10)])
    one = batch.take([0])
    ids = one.ids.copy()
    ids[np.flatnonzero(one.field == patterns.field[0])[-1]] = patterns.field[1] + OTHER
    assert patterns.rarity(one) < 0.1
    assert patterns.rarity(replace(one, ids=ids)) > 2


def test_the_share_at_least_as_strange_falls_and_never_ends() -> None:
    evidence = np.random.default_rng(0).exponential(size=5000)
    reference = Reference.fit(evidence)
    shares = np.exp(reference.log_share(np.array([0.0, 1.0, 5.0, 8.0, 30.0])))
    np.testing.assert_allclose(shares[:2], [1, np.exp(-1)], atol=0.02)
    np.testing.assert_allclose(shares[2:4], np.exp([-5, -8]), rtol=0.5)
    assert (np.diff(shares) < 0).all()
    heavy = 1 - np.exp(reference.log_share(np.arange(5.0, 60.0), heavy=True)).astype(np.float32)
    assert (np.diff(heavy) > 0).all()  # in single precision too


def test_where_all_are_alike_nobody_is_unusual() -> None:
    reference = Reference.fit(np.full(100, 3.14159))
    share = np.exp(reference.log_share(np.array([3.14159, 3.2, 9.0])))
    assert share[0] > 0.95
    assert share[2] < 1e-10


def test_few_usual_scores_lie_above_98_in_a_hundred_and_unknown_actions_raise_them(
    scorer: Scorer, batch: Batch
) -> None:
    score = scorer.predict_proba(batch)[:, 1]
    assert ((score >= 0) & (score < 1)).all()
    assert (score >= 0.98).mean() <= 0.03
    number, start = Patterns.fit(scorer.encoder.tokenizer, [batch]).field[:2]
    unknown = np.where(batch.field == number, start + OTHER, batch.ids).astype(np.int32)
    strange = scorer.predict_proba(replace(batch, ids=unknown))[:, 1]
    assert (strange > score).mean() > 0.9


@pytest.mark.parametrize("name", ["unusualness.json", "patterns.safetensors"])
def test_a_damaged_reference_is_refused_by_name(seeded_home: Home, name: str) -> None:
    folder = seeded_home.model_dir("pretrained")
    for content in (b"{}", None):
        if content is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(content)
        with pytest.raises(BadInput, match=name):
            Scorer.load(folder)


def test_a_model_that_another_version_fitted_is_refused(scorer: Scorer, tmp_path: Path) -> None:
    assert scorer.unusualness is not None
    scorer.unusualness.save(tmp_path)
    file = tmp_path / "unusualness.json"
    described = json.loads(file.read_text())
    file.write_text(json.dumps({**described, "version": 1}))
    with pytest.raises(BadInput, match="train the model again"):
        Unusualness.load(tmp_path)


def test_what_is_saved_scores_the_same(scorer: Scorer, batch: Batch, tmp_path: Path) -> None:
    assert scorer.unusualness is not None
    scorer.unusualness.save(tmp_path)
    again = Unusualness.load(tmp_path)
    np.testing.assert_array_equal(
        again.score(scorer.encoder, batch), scorer.unusualness.score(scorer.encoder, batch)
    )
