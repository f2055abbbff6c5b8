"""One judgement of model and baselines, as JSON, in words and in the model card."""

import json
from pathlib import Path

import numpy as np
import pytest

from core.errors import BadInput
from core.govern.config import TrainConfig
from core.govern.early import early_detection
from core.govern.evaluation import evaluate
from core.govern.log import Log, read_log
from core.govern.training import train
from core.govern.wording import BASELINES, against, early, repeats
from core.logs.importing import import_log
from core.logs.labels import attach_labels
from core.scoring.engine import Scorer
from core.store import models
from core.store.home import Home
from tests.tiny import TINY

pytestmark = pytest.mark.slow


def test_model_and_baselines_are_judged_on_the_same_units(seeded_home: Home) -> None:
    found = evaluate(seeded_home, "finetuned", "small")
    counts = (found["positives"], found["negatives"])
    assert set(found["baselines"]) == set(BASELINES)
    for name, report in found["baselines"].items():
        assert (report["positives"], report["negatives"]) == counts
        ahead = found["differences"][name]["average_precision"]
        ours, theirs = found["metrics"]["average_precision"], report["average_precision"]
        assert ahead["value"] == pytest.approx(ours["value"] - theirs["value"])
        assert ahead["low"] <= ahead["value"] <= ahead["high"]
    assert found["unit"] == "actor"
    json.dumps(found, allow_nan=False)


def test_a_model_that_was_trained_before_any_label_can_be_judged_once_there_are(
    seeded_home: Home,
) -> None:
    found = evaluate(seeded_home, "pretrained", "small", capacity=3)
    assert found["metrics"]["brier_score"] is None  # unusualness is no probability
    assert found["capacity"] == 3
    assert found["metrics"]["roc_auc"] is not None


def test_training_and_evaluation_say_the_same(seeded_home: Home) -> None:
    with seeded_home.engine.connect() as con:
        kept = models.get(con, "finetuned").metrics
    found = evaluate(seeded_home, "finetuned", "small")
    for name in ("roc_auc", "average_precision", "f1"):
        assert found["metrics"][name] == pytest.approx(kept["test"][name])
    assert found["differences"] == kept["differences"]


def test_the_card_names_every_baseline_and_what_the_difference_is_worth(seeded_home: Home) -> None:
    card = (seeded_home.model_dir("finetuned") / "README.md").read_text()
    for name in BASELINES.values():
        assert f"| {name} |" in card
    assert card.count("Beats ") + card.count("Loses to ") + card.count("Not told apart from ") == 11
    assert "The best single rule: " in card
    assert "sequences of abuse reach the threshold" in card


def log_and_scorer(home: Home) -> tuple[Log, Scorer]:
    return read_log(home, "small"), Scorer.load(home.model_dir("finetuned"))


def test_a_threshold_that_everything_reaches_is_reached_by_the_first_event(
    seeded_home: Home,
) -> None:
    log, scorer = log_and_scorer(seeded_home)
    assert log.bags is not None
    bags, tokenizer = log.bags.of("train"), scorer.encoder.tokenizer

    def score(batch):
        return scorer.predict_proba(batch)[:, 1]

    scored = score(log.encode(tokenizer).take(bags.rows))
    found = early_detection(log, tokenizer, score, bags, scored, 0.0)
    assert found is not None
    lengths = log.sequences["events"].to_numpy()[bags.rows[bags.label[np.arange(len(bags))] == 1]]
    assert found["reached"] == found["units"] == bags.label.sum()
    assert found["events_before_end"]["value"] == np.median(lengths - 1)
    never = early_detection(log, tokenizer, score, bags, scored, 1.1)
    assert never is not None
    assert (never["reached"], never["events_before_end"]) == (0, None)
    assert early(never) == f"0 of {found['units']} sequences of abuse reach the threshold."


def test_a_prefix_is_scored_as_if_the_rest_had_not_happened(seeded_home: Home) -> None:
    """The profile of a prefix tells nothing of what is still to come."""
    log, scorer = log_and_scorer(seeded_home)
    assert log.bags is not None
    bags, tokenizer = log.bags.of("train"), scorer.encoder.tokenizer
    seen = []

    def score(batch):
        seen.append(batch)
        return scorer.predict_proba(batch)[:, 1]

    early_detection(log, tokenizer, score, bags, np.zeros(len(bags.rows)), 0.5)
    (prefixes,) = seen
    number = 1 + next(i for i, f in enumerate(tokenizer.fields) if f.name == "events")
    first = [tokenizer.tokens[i] for i in prefixes.ids[prefixes.field == number][:3]]
    assert first == ["events=1", "events=2", "events~3-4"]


def visits(folder: Path, *, actors: int, abusive: int) -> tuple[Path, Path]:
    """Write a log in which all visits are the same, and labels that say otherwise."""
    rows, truth = ["time,user_id,action"], ["user,bad"]
    for n in range(actors):
        rows += [f"2026-01-01 10:00:0{k},u{n:02},{'view' if k else 'open'}" for k in range(3)]
        truth.append(f"u{n:02},{int(n < abusive)}")
    (folder / "log.csv").write_text("\n".join(rows))
    (folder / "labels.csv").write_text("\n".join(truth))
    return folder / "log.csv", folder / "labels.csv"


def labelled(home: Home, log: Path, labels: Path) -> None:
    dataset = import_log(home, log, name="visits")
    attach_labels(home, dataset.id, labels, key="user", label="bad", on="actor")


def test_sequences_that_are_all_the_same_are_refused(home: Home, tmp_path: Path) -> None:
    labelled(home, *visits(tmp_path, actors=30, abusive=15))
    with pytest.raises(BadInput, match="All 30 labelled sequences look the same"):
        train(home, "visits", config=TINY)


@pytest.mark.parametrize(
    ("abusive", "said"),
    [
        (0, "0 verdicts or labels say abuse"),
        (4, "4 verdicts"),
        (30, "0 verdicts or labels say leg"),
    ],
)
def test_one_class_or_hardly_any_labels_are_refused(
    home: Home, tmp_path: Path, abusive: int, said: str
) -> None:
    labelled(home, *visits(tmp_path, actors=30, abusive=abusive))
    with pytest.raises(BadInput, match=said):
        train(home, "visits", config=TINY)


def test_five_of_each_class_are_enough_to_train_on(home: Home, tmp_path: Path) -> None:
    log, labels = visits(tmp_path, actors=10, abusive=5)
    with log.open("a") as file:  # else all of them look the same
        file.writelines(f"\n2026-01-02 10:0{n}:00,u{n:02},view" for n in range(5))
    labelled(home, log, labels)
    model = train(home, "visits", config=TINY)
    assert model.metrics["test"]["positives"] >= 1
    assert model.metrics["test"]["negatives"] >= 1


def test_labels_that_contradict_each_other_train_and_are_said(home: Home, tmp_path: Path) -> None:
    log, labels = visits(tmp_path, actors=30, abusive=15)
    with log.open("a") as file:
        file.writelines(f"\n2026-01-02 10:0{n}:00,u{n:02},view" for n in range(4))
    labelled(home, log, labels)
    model = train(home, "visits", config=TINY, model_id="unsure")
    assert model.metrics["repeats"]["contradictory"] == 26
    card = (home.model_dir("unsure") / "README.md").read_text()
    assert "26 labelled units do just what a unit of the other label does" in card


def test_training_does_not_go_on_from_a_model_of_another_vocabulary(
    seeded_home: Home, tmp_path: Path
) -> None:
    rows, truth = ["time,user_id,action,country"], ["user,bad"]
    for n in range(30):
        rows += [f"2026-01-01 10:0{k}:00,u{n},act{n % 6},land{n % 7}" for k in range(3)]
        truth.append(f"u{n},{n % 2}")
    log, labels = tmp_path / "other.csv", tmp_path / "other_labels.csv"
    log.write_text("\n".join(rows))
    labels.write_text("\n".join(truth))
    labelled(seeded_home, log, labels)
    before = set((seeded_home.path / "models").iterdir())
    with pytest.raises(BadInput, match=r"finetuned.*knows"):
        train(seeded_home, "visits", parent_id="finetuned", config=TINY)
    assert set((seeded_home.path / "models").iterdir()) == before


def test_a_model_split_by_time_is_judged_on_who_was_seen_last(home: Home, tmp_path: Path) -> None:
    rows, truth = ["time,user_id,action"], ["user,bad"]
    for n in range(60):
        action = "order" if n % 2 else "view"
        rows += [f"2026-01-{1 + n // 3:02} {n % 24:02}:0{k}:00,u{n:02},{action}" for k in range(3)]
        rows.append(f"2026-01-{1 + n // 3:02} 23:{n % 60:02}:00,u{n:02},view")
        truth.append(f"u{n:02},{n % 2}")
    (tmp_path / "log.csv").write_text("\n".join(rows))
    (tmp_path / "labels.csv").write_text("\n".join(truth))
    labelled(home, tmp_path / "log.csv", tmp_path / "labels.csv")
    config = TrainConfig(TINY.layout, TINY.size, TINY.pretrain, TINY.finetune, split_by="time")
    model = train(home, "visits", config=config)
    log = read_log(home, "visits", split_by="time")
    assert log.bags is not None
    last = log.sequences["last_ts"].to_numpy()[log.bags.first]
    assert last[log.bags.split == "train"].max() < last[log.bags.split == "test"].min()
    found = evaluate(home, model.id, "visits")
    assert found["positives"] + found["negatives"] == len(log.bags.of("test"))
    assert found["metrics"]["roc_auc"] == pytest.approx(model.metrics["test"]["roc_auc"])


def test_differences_are_said_in_plain_words() -> None:
    def said(value: float, low: float, high: float) -> str:
        return against("random_forest", {"value": value, "low": low, "high": high})

    assert said(0.034, 0.02, 0.05) == "Beats random forest on facts by 0.034 (0.020 to 0.050)."
    assert said(-0.034, -0.05, -0.02) == (
        "Loses to random forest on facts by 0.034 (0.020 to 0.050)."
    )
    assert said(0.01, -0.02, 0.04) == (
        "Not told apart from random forest on facts: +0.010 (-0.020 to +0.040)."
    )


def test_duplicates_and_contradictions_are_said_only_where_there_are_any() -> None:
    none = dict.fromkeys(("repeated", "contradictory", "set_aside", "contradicted"), 0)
    assert list(repeats(none)) == []
    assert "3 labelled units do just what a unit of the other label does" in next(
        repeats({**none, "contradictory": 3})
    )
