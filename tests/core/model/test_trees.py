"""Trees judge beside the transformer: they say what scikit-learn says, of any batch."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.ensemble import GradientBoostingClassifier

from core.batch import Batch
from core.errors import BadInput
from core.govern.log import read_log
from core.model import growing
from core.model.backbone import load_encoder
from core.model.encoder import POSITIVE, Encoder
from core.model.growing import fit
from core.model.inference import judged, probabilities
from core.model.schemes import binary
from core.model.trees import FILE, Trees
from core.store.home import Home


@pytest.fixture
def log(seeded_home: Home) -> tuple[Encoder, Batch]:
    encoder = load_encoder(seeded_home.model_dir("finetuned"))
    return encoder, read_log(seeded_home, "small").encode(encoder.tokenizer)


def test_trees_say_what_scikit_learn_says_whichever_batch_a_sequence_is_in(
    log: tuple[Encoder, Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, batch = log
    seen: list[tuple[GradientBoostingClassifier, np.ndarray]] = []
    grown = GradientBoostingClassifier.fit

    def kept(model: GradientBoostingClassifier, X: np.ndarray, *given: object) -> object:
        seen.append((model, X))
        return grown(model, X, *given)

    monkeypatch.setattr(GradientBoostingClassifier, "fit", kept)
    label = np.arange(len(batch)) % 3 == 0
    weight = np.where(label, 2.0, 1.0)
    trees = fit(encoder.tokenizer, batch, label.astype(np.int64), weight)
    ((model, X),) = seen
    np.testing.assert_allclose(trees(batch), model.decision_function(X), atol=1e-4)
    some = [3, 0, 7]
    torch.testing.assert_close(trees(batch.take(some)), trees(batch)[some])


def test_a_fine_tuned_model_hears_its_trees_and_says_the_same_after_reading_it_back(
    log: tuple[Encoder, Batch], tmp_path: Path
) -> None:
    encoder, batch = log
    assert encoder.trees is not None
    with torch.inference_mode():
        own, both = binary(encoder(batch)), binary(judged(encoder, batch))
        heard = encoder.trees(batch)
    of_transformer = own[:, POSITIVE] - own[:, 0]
    torch.testing.assert_close(both[:, POSITIVE] - both[:, 0], (of_transformer + heard) / 2)
    assert heard.std() > 0.5
    encoder.save(tmp_path)
    np.testing.assert_array_equal(
        probabilities(load_encoder(tmp_path), batch), probabilities(encoder, batch)
    )


def test_with_everything_hidden_trees_say_about_how_common_abuse_was(
    log: tuple[Encoder, Batch],
) -> None:
    encoder, batch = log
    assert encoder.trees is not None
    blank = encoder.trees(batch.hidden(batch.field > 0))
    assert float(blank.max() - blank.min()) == 0  # nothing is left that could tell them apart
    assert 0.1 < float(torch.sigmoid(blank[0])) < 0.6  # a third is abuse


def test_of_many_sequences_all_abuse_is_learned_from_and_counts_as_often_as_it_was(
    seeded_home: Home, log: tuple[Encoder, Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, batch = log
    bags = read_log(seeded_home, "small").bags
    assert bags is not None
    known = bags.of("train")
    abuse = np.flatnonzero(known.label == 1)[:3]
    rare = known.take(np.sort(np.append(abuse, np.flatnonzero(known.label == 0))))
    monkeypatch.setattr(growing, "MOST", 9)
    taught: list[tuple[np.ndarray, np.ndarray]] = []

    def kept(_: object, __: Batch, label: np.ndarray, weight: np.ndarray) -> Trees:
        taught.append((label, weight))
        return fit(encoder.tokenizer, batch, np.arange(len(batch)) % 2, np.ones(len(batch)))

    monkeypatch.setattr(growing, "fit", kept)
    growing.grow(encoder, batch, rare, np.ones(len(batch)), seed=0)
    ((label, weight),) = taught
    assert np.bincount(label).tolist() == [6 * 4, 3 * 4]
    normal = int((rare.label[np.repeat(np.arange(len(rare)), np.diff(rare.offsets))] == 0).sum())
    assert weight[label == 0].sum() == pytest.approx(4 * normal)
    assert weight[label == 1].sum() == pytest.approx(4 * 3)


@pytest.mark.parametrize("harm", ["cut", "of another vocabulary", "no number", "a part missing"])
def test_damaged_trees_are_refused(seeded_home: Home, tmp_path: Path, harm: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(seeded_home.model_dir("finetuned"), folder)
    trees = load_encoder(folder).trees
    assert trees is not None
    if harm == "of another vocabulary":
        trees.column = trees.column[:-1]
    elif harm == "no number":
        trees.value[0] = torch.nan
    elif harm == "a part missing":
        del trees.limit
    trees.save(folder)
    if harm == "cut":
        (folder / FILE).write_bytes((folder / FILE).read_bytes()[:200])
    with pytest.raises(BadInput, match=r"trees.safetensors is damaged"):
        load_encoder(folder)
