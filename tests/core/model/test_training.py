"""Training on small logs: it learns what is there, refuses what is not, repeats by seed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import BadInput, NotFound
from core.explain.explaining import explain_sequence
from core.govern.config import TrainConfig
from core.govern.evaluation import evaluate
from core.govern.log import read_log
from core.govern.training import train
from core.logs.frames import read_sequences
from core.logs.importing import import_log
from core.model.augment import hide
from core.model.finetune import FinetuneConfig
from core.model.pretrain import PretrainConfig
from core.scoring.cases import read_scores
from core.scoring.engine import Scorer
from core.scoring.runs import score_dataset
from core.store.datasets import delete_dataset
from core.store.home import Home
from tests.conftest import as_split_by_time
from tests.tiny import TINY


def test_the_curve_tells_both_phases_and_the_loss_falls(seeded_home: Home) -> None:
    points: list[dict[str, object]] = []
    config = TrainConfig(
        size=TINY.size, pretrain=PretrainConfig(epochs=4), finetune=FinetuneConfig(epochs=6)
    )
    train(seeded_home, "small", config=config, told=points.append)
    for phase in ("pre-training", "fine-tuning"):
        losses = [point["loss"] for point in points if point["phase"] == phase and "loss" in point]
        assert len(losses) >= 4
        assert losses[-1] < losses[0]  # type: ignore[operator]
    assert all(0 <= point["progress"] <= 1 for point in points)  # type: ignore[operator]


def test_the_same_seed_gives_the_same_model(seeded_home: Home) -> None:
    scores = []
    for _ in range(2):
        model = train(seeded_home, "small", config=TINY)
        run = score_dataset(seeded_home, Scorer.load(seeded_home.model_dir(model.id)), "small")
        scores.append(read_scores(seeded_home, run.id)["score"].to_numpy())
    np.testing.assert_array_equal(scores[0], scores[1])


def test_going_on_from_a_model_needs_something_to_learn_from(seeded_home: Home) -> None:
    from core.store import labels

    with seeded_home.engine.begin() as con:
        labels.replace_labels(
            con, "small", "actor", pd.DataFrame(columns=["key", "label", "split"])
        )
    with pytest.raises(BadInput, match="no verdicts or labels yet"):
        train(seeded_home, "small", parent_id="pretrained", config=TINY)
    with pytest.raises(BadInput, match="no verdicts or labels to evaluate"):
        evaluate(seeded_home, "finetuned", "small")


def test_what_taught_a_model_never_tests_it_later(seeded_home: Home) -> None:
    by_time = TrainConfig.of(split_by="time")
    with pytest.raises(BadInput, match="a part of what taught it would test it"):
        train(seeded_home, "small", parent_id="finetuned", config=by_time)
    assert by_time.going_on_from(seeded_home, "finetuned", "another").split_by == "time"
    as_split_by_time(seeded_home, "finetuned")
    assert TrainConfig().going_on_from(seeded_home, "finetuned", "small").split_by == "time"


def test_a_failed_training_leaves_no_model_behind(seeded_home: Home) -> None:
    before = set((seeded_home.path / "models").iterdir())

    def stop(point: dict[str, object]) -> None:
        if point["phase"] == "evaluating":
            raise RuntimeError

    with pytest.raises(RuntimeError):
        train(seeded_home, "small", config=TINY, told=stop)
    assert set((seeded_home.path / "models").iterdir()) == before


def test_a_data_set_deleted_during_training_leaves_no_model_behind(seeded_home: Home) -> None:
    def delete(point: dict[str, object]) -> None:
        if point["phase"] == "evaluating":
            delete_dataset(seeded_home, "small")

    before = set((seeded_home.path / "models").iterdir())
    with pytest.raises(NotFound, match="small"):
        train(seeded_home, "small", config=TINY, told=delete)
    assert set((seeded_home.path / "models").iterdir()) == before


def test_a_diverged_loss_is_refused(seeded_home: Home) -> None:
    config = TrainConfig(size=TINY.size, pretrain=PretrainConfig(epochs=2, learning_rate=1e30))
    with pytest.raises(BadInput, match="Pre-training diverged"):
        train(seeded_home, "small", config=config)
    config = replace(TINY, finetune=FinetuneConfig(epochs=2, learning_rate=1e30))
    with pytest.raises(BadInput, match="Fine-tuning diverged"):
        train(seeded_home, "small", config=config)


def test_sequences_of_one_event_are_scored_and_explained(home: Home, tmp_path: Path) -> None:
    rows = [
        f"2026-01-{n % 28 + 1:02} 10:00:00,u{n},{'order' if n % 4 else 'view'}" for n in range(40)
    ]
    log = tmp_path / "log.csv"
    log.write_text("\n".join(["time,user_id,action", *rows, "2026-01-02 10:00:00,u1,view"]))
    dataset = import_log(home, log, name="ones")
    model = train(home, dataset.id, config=TINY)
    scorer = Scorer.load(home.model_dir(model.id))
    score_dataset(home, scorer, dataset.id)
    sequences = read_sequences(home, "ones")
    one = sequences.loc[sequences["events"] == 1, "sequence_id"].iloc[0]
    found = explain_sequence(home, scorer, "ones", one)
    assert len(found.events) == 1
    total = found.base_value + found.profile.value + found.events[0].value
    assert total == pytest.approx(found.score, abs=1e-5)


def test_nothing_known_scores_near_the_share_of_abuse(seeded_home: Home) -> None:
    """Otherwise an explanation would start from a base that says nothing."""
    log = read_log(seeded_home, "small")
    scorer = Scorer.load(seeded_home.model_dir("finetuned"))
    batch = log.encode(scorer.encoder.tokenizer)
    blank = scorer.predict_proba(batch.hidden(batch.field > 0))[:, 1]
    assert log.bags is not None
    assert blank.max() < log.bags.label.mean() + 0.3


def test_hiding_leaves_some_sequences_whole_and_some_nearly_empty(seeded_home: Home) -> None:
    log = read_log(seeded_home, "small")
    batch = log.encode(log.fit_tokenizer())
    hidden = hide(batch, np.random.default_rng(0))
    share = np.bincount(batch.owner, weights=hidden.ids != batch.ids) / batch.tokens
    assert share.min() < 0.05
    assert share.max() > 0.7
    assert 0.1 < share.mean() < 0.4


def test_labels_on_sessions_train_and_are_judged_per_session(home: Home, tmp_path: Path) -> None:
    from core.logs.labels import attach_labels

    rows, truth = [], []
    for n in range(60):
        action = "order" if n % 2 else "view"
        rows += [f"2026-01-01 {n % 24:02}:0{k}:00,u{n % 20},s{n},{action}" for k in range(4)]
        truth.append(f"s{n},{n % 2}")
    log, labels = tmp_path / "log.csv", tmp_path / "labels.csv"
    log.write_text("\n".join(["time,user_id,session_id,action", *rows]))
    labels.write_text("\n".join(["visit,bad", *truth]))
    dataset = import_log(home, log, name="visits")
    attached = attach_labels(home, dataset.id, labels, key="visit", label="bad")
    assert (attached.attached, attached.on) == (60, "session")
    model = train(home, dataset.id, config=TINY)
    assert model.metrics["unit"] == "session"
