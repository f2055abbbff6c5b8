"""Counters judge beside the transformer: they say what scikit-learn says, of any batch."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from core.batch import Batch
from core.errors import BadInput
from core.govern.log import read_log
from core.model.backbone import load_encoder
from core.model.counters import FILE, Counters
from core.model.counting import grow, linear, sampled
from core.model.encoder import POSITIVE, Encoder
from core.model.inference import judged, probabilities
from core.model.schemes import binary
from core.store.home import Home


@pytest.fixture
def log(seeded_home: Home) -> tuple[Encoder, Batch]:
    encoder = load_encoder(seeded_home.model_dir("finetuned"))
    return encoder, read_log(seeded_home, "small").encode(encoder.tokenizer)


def test_counters_say_what_scikit_learn_says_whichever_batch_a_sequence_is_in(
    log: tuple[Encoder, Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, batch = log
    seen: list[tuple[GradientBoostingClassifier, np.ndarray]] = []
    grown = GradientBoostingClassifier.fit

    def kept(model: GradientBoostingClassifier, X: np.ndarray, *given: object) -> object:
        seen.append((model, X))
        return grown(model, X, *given)

    monkeypatch.setattr(GradientBoostingClassifier, "fit", kept)
    label = (np.arange(len(batch)) % 3 == 0).astype(np.int64)
    weight = np.where(label, 2.0, 1.0)
    counters = Counters(
        **linear(encoder.tokenizer, batch, label, weight),
        **grow(encoder.tokenizer, [batch], label, weight),
    )
    by_linear, by_trees = counters(batch).T
    ((model, X),) = seen
    np.testing.assert_allclose(by_trees, model.decision_function(X), atol=1e-4)
    held = np.zeros((len(batch), len(encoder.tokenizer)))
    held[batch.owner, batch.ids] = batch.event > 0
    regression = LogisticRegression(max_iter=1_000).fit(held, label, weight)
    np.testing.assert_allclose(by_linear, regression.decision_function(held), atol=1e-2)
    some = [3, 0, 7]
    torch.testing.assert_close(counters(batch.take(some)), counters(batch)[some])


def test_a_fine_tuned_model_hears_its_counters_and_says_the_same_after_reading_it_back(
    log: tuple[Encoder, Batch], tmp_path: Path
) -> None:
    encoder, batch = log
    assert encoder.counters is not None
    with torch.inference_mode():
        own, all_three = binary(encoder(batch)), binary(judged(encoder, batch))
        heard = encoder.counters(batch)
    assert heard.shape == (len(batch), 2)
    of_transformer = own[:, POSITIVE] - own[:, 0]
    mean = (of_transformer + heard.sum(1)) / 3
    torch.testing.assert_close(all_three[:, POSITIVE] - all_three[:, 0], mean)
    assert heard.std(0).min() > 0.5
    encoder.save(tmp_path)
    np.testing.assert_array_equal(
        probabilities(load_encoder(tmp_path), batch), probabilities(encoder, batch)
    )


def test_with_everything_hidden_counters_say_about_how_common_abuse_was(
    log: tuple[Encoder, Batch],
) -> None:
    encoder, batch = log
    assert encoder.counters is not None
    blank = encoder.counters(batch.hidden(batch.field > 0))
    assert (blank == blank[0]).all()  # nothing is left that could tell them apart
    assert float(torch.sigmoid(blank[0]).min()) > 0.1
    assert float(torch.sigmoid(blank[0]).max()) < 0.6  # a third is abuse
    # The more is hidden, the nearer: no sequence is told by that alone.
    whole = encoder.counters(batch)[:, 0]
    half = encoder.counters(batch.hidden((batch.field > 0) & (batch.event % 2 == 0)))[:, 0]
    assert (half - blank[0, 0]).abs().mean() < (whole - blank[0, 0]).abs().mean()


def test_of_many_sequences_all_abuse_is_kept_and_each_class_counts_as_often_as_it_was() -> None:
    label = np.array([0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0])
    rng = np.random.default_rng(0)
    places, stands_for = sampled(np.arange(100, 112), label, rng, most=8)
    assert len(places) == 8
    assert {101, 105, 110} <= set(places)
    abuse = label[places - 100] == 1
    assert stands_for[abuse].tolist() == [1, 1, 1]
    assert stands_for[~abuse].sum() == pytest.approx(9)
    few, each = sampled(np.arange(12), label, rng, most=12)
    assert (few.tolist(), set(each)) == (list(range(12)), {1.0})


def test_counters_that_are_missing_or_of_another_model_are_refused(
    seeded_home: Home, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(seeded_home.model_dir("finetuned"), folder)
    counters = load_encoder(folder).counters
    assert counters is not None
    counters.bias += 1
    counters.save(folder)
    with pytest.raises(BadInput, match=r"counters.safetensors is damaged, or of another model"):
        load_encoder(folder)
    (folder / FILE).unlink()
    with pytest.raises(BadInput, match=r"counters.safetensors is missing"):
        load_encoder(folder)


@pytest.mark.parametrize("harm", ["cut", "of another vocabulary", "no number", "a part missing"])
def test_damaged_counters_are_refused(seeded_home: Home, tmp_path: Path, harm: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(seeded_home.model_dir("finetuned"), folder)
    described = json.loads((folder / "config.json").read_text())
    del described["counters"]  # made before the digest was kept
    (folder / "config.json").write_text(json.dumps(described))
    counters = load_encoder(folder).counters
    assert counters is not None
    if harm == "of another vocabulary":
        counters.column = counters.column[:-1]
    elif harm == "no number":
        counters.value[0] = torch.nan
    elif harm == "a part missing":
        del counters.limit
    counters.save(folder)
    if harm == "cut":
        (folder / FILE).write_bytes((folder / FILE).read_bytes()[:200])
    with pytest.raises(BadInput, match=r"counters.safetensors is damaged"):
        load_encoder(folder)
