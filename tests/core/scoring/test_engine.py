import json

import numpy as np
import pytest

from core.batch import Batch
from core.errors import BadInput
from core.logs.frames import read_events, read_sequences
from core.model.inference import by_batch
from core.model.surprise import strangest
from core.scoring.cases import read_scores
from core.scoring.engine import Scorer
from core.scoring.runs import score_dataset
from core.store import cases, models
from core.store.home import Home


def everything(home: Home, scorer: Scorer) -> Batch:
    events, sequences = read_events(home, "small"), read_sequences(home, "small")
    return scorer.encoder.tokenizer.encode(events, sequences)


@pytest.mark.parametrize("name", ["finetuned", "pretrained"])
def test_rows_sum_to_one_and_lie_between_0_and_1(seeded_home: Home, name: str) -> None:
    scorer = Scorer.load(seeded_home.model_dir(name))
    proba = scorer.predict_proba(everything(seeded_home, scorer))
    assert proba.dtype == np.float32
    assert proba.shape == (60, 2)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
    assert ((proba >= 0) & (proba <= 1)).all()


@pytest.mark.parametrize(
    ("name", "atol"),
    # A percentile is steep where many sequences are alike: there rounding shows earlier.
    [("finetuned", 1e-5), ("pretrained", 1e-3)],
)
def test_a_score_does_not_depend_on_its_company(seeded_home: Home, name: str, atol: float) -> None:
    scorer = Scorer.load(seeded_home.model_dir(name))
    batch = everything(seeded_home, scorer)
    together = scorer.predict_proba(batch)[:, 1]
    order = np.random.default_rng(0).permutation(len(batch))
    np.testing.assert_allclose(
        scorer.predict_proba(batch.take(order))[:, 1], together[order], atol=atol
    )
    alone = [scorer.predict_proba(batch.take([row]))[0, 1] for row in range(5)]
    np.testing.assert_allclose(alone, together[:5], atol=atol)


def test_surprise_does_not_depend_on_its_company(seeded_home: Home) -> None:
    scorer = Scorer.load(seeded_home.model_dir("pretrained"))
    batch = everything(seeded_home, scorer)
    together = by_batch(scorer.encoder, batch, strangest, width=2)
    alone = [by_batch(scorer.encoder, batch.take([row]), strangest, width=2)[0] for row in range(5)]
    np.testing.assert_allclose(alone, together[:5], atol=1e-5)


def test_the_model_learned_what_the_log_holds(seeded_home: Home) -> None:
    scorer = Scorer.load(seeded_home.model_dir("finetuned"))
    score = scorer.predict_proba(everything(seeded_home, scorer))[:, 1]
    actors = read_sequences(seeded_home, "small")["actor_id"]
    abusive = np.array([int(actor[1:]) % 3 == 0 for actor in actors])
    assert score[abusive].min() > score[~abusive].max()


def test_stock_classes_load_the_model_and_say_the_same(seeded_home: Home) -> None:
    from transformers import AutoModelForSequenceClassification

    folder = seeded_home.model_dir("finetuned")
    stock = AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True)
    mine = Scorer.load(folder).encoder.bert
    for name, weight in stock.state_dict().items():
        assert (mine.state_dict()[name] == weight).all()
    assert stock.config.id2label == {0: "normal", 1: "abuse"}


def test_a_run_stores_every_score_and_fills_the_queue(seeded_home: Home) -> None:
    run = score_dataset(seeded_home, Scorer.load(seeded_home.model_dir("finetuned")), "small")
    scores = read_scores(seeded_home, run.id)
    assert list(scores.columns) == ["sequence_id", "actor_id", "score"]
    assert len(scores) == run.sequences == 60
    with seeded_home.engine.connect() as con:
        queue = cases.queue(con, "small")
    by_score = queue[queue["source"] == "score"]
    assert len(by_score) == 20
    assert queue["score"].is_monotonic_decreasing


def damage(home: Home, name: str, content: bytes | None) -> None:
    file = home.model_dir("finetuned") / name
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocab.json", "fields.json"])
@pytest.mark.parametrize("content", [None, b"\x00\x01 not what it was"])
def test_a_damaged_model_is_refused_by_name(
    seeded_home: Home, name: str, content: bytes | None
) -> None:
    damage(seeded_home, name, content)
    with pytest.raises(BadInput, match="finetuned"):
        Scorer.load(seeded_home.model_dir("finetuned"))


def test_weights_of_another_vocabulary_are_refused(seeded_home: Home) -> None:
    file = seeded_home.model_dir("finetuned") / "config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps(config | {"vocabulary_digest": "another"}))
    with pytest.raises(BadInput, match="another vocabulary"):
        Scorer.load(file.parent)


def test_a_log_the_model_does_not_know_is_refused_before_the_first_score(seeded_home: Home) -> None:
    from core.logs.importing import import_log

    rows = [f"2026-01-0{n % 7 + 1},{n % 4},click,{n % 3}" for n in range(40)]
    file = seeded_home.path / "strange.csv"
    file.write_text("\n".join(["time,user_id,action,banner", *rows]))
    strange = import_log(seeded_home, file)
    scorer = Scorer.load(seeded_home.model_dir("finetuned"))
    with pytest.raises(BadInput, match="Train a model on this log"):
        score_dataset(seeded_home, scorer, strange.id)
    assert list((seeded_home.path / "runs").glob(f"*{strange.id}*")) == []


def test_a_candidate_leaves_the_queue_alone_where_the_active_model_has_scored(
    seeded_home: Home,
) -> None:
    def scores_in_queue() -> list[float]:
        with seeded_home.engine.connect() as con:
            return cases.queue(con, "small")["score"].tolist()

    before = scores_in_queue()
    score_dataset(seeded_home, Scorer.load(seeded_home.model_dir("pretrained")), "small")
    assert scores_in_queue() == before
    with seeded_home.engine.begin() as con:
        models.promote(con, "pretrained", "ann")
    score_dataset(seeded_home, Scorer.load(seeded_home.model_dir("pretrained")), "small")
    assert scores_in_queue() != before
