"""Kinds of abuse: what is told apart, that the score does not suffer, how well they are named."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from core.errors import BadInput
from core.govern.config import TrainConfig
from core.govern.evaluation import evaluate
from core.govern.log import read_log
from core.govern.training import train
from core.govern.wording import schemes as said_of
from core.logs.importing import import_log
from core.logs.labels import attach_labels
from core.model.backbone import load_encoder
from core.model.encoder import ID2LABEL, Encoder, Size
from core.model.finetune import FinetuneConfig
from core.model.inference import probabilities, probabilities_by_kind
from core.model.pretrain import PretrainConfig
from core.model.schemes import UNTOLD, add_schemes, binary, kind_of, kinds_of
from core.model.units import Bags, told_apart
from core.scoring.engine import Scorer
from core.scoring.runs import score_dataset
from core.store import cases, models
from core.store.home import Home, open_home

LEARNS = TrainConfig(
    size=Size(layers=1, width=32, heads=2),
    pretrain=PretrainConfig(epochs=2),
    finetune=FinetuneConfig(epochs=40, patience=40, batch_size=8, learning_rate=3e-3),
)


def shop_of_schemes() -> pd.DataFrame:
    """Of 90 actors a third buys one item over and over, a third clicks like a machine."""
    rng = np.random.default_rng(0)
    rows = []
    for actor in range(90):
        time = pd.Timestamp("2026-01-01", tz="UTC") + pd.Timedelta(hours=int(rng.integers(200)))
        for _ in range(int(rng.integers(4, 9))):
            action, gap = [("order", 2), ("view", 1), ("cart", 600)][actor % 3]
            time += pd.Timedelta(seconds=int(rng.integers(gap, 2 * gap + 1)))
            item = "i0" if actor % 3 == 0 else f"i{rng.integers(12)}"
            rows.append((f"u{actor:03}", time, action, item))
    return pd.DataFrame(rows, columns=["user_id", "event_time", "event_type", "product_id"])


SCHEME = {0: "Fake orders", 1: "click_farm", 2: None}


@pytest.fixture(scope="module")
def schemed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose model was trained on labels that name two schemes."""
    folder = tmp_path_factory.mktemp("schemes")
    home = open_home(folder / "home")
    log = shop_of_schemes()
    log.to_csv(folder / "log.csv", index=False)
    import_log(home, folder / "log.csv", name="shop")
    users = log["user_id"].drop_duplicates()
    kind = [int(user[1:]) % 3 for user in users]
    truth = pd.DataFrame({"user_id": users, "abuse": [k < 2 for k in kind]})
    truth["kind"] = [SCHEME[k] for k in kind]
    truth.to_csv(folder / "labels.csv", index=False)
    attach_labels(
        home, "shop", folder / "labels.csv", key="user_id", label="abuse", on="actor", scheme="kind"
    )
    train(home, "shop", config=LEARNS, model_id="named")
    home.engine.dispose()
    return folder


@pytest.fixture
def shop(schemed: Path, tmp_path: Path) -> Home:
    shutil.copytree(schemed, tmp_path, dirs_exist_ok=True)
    return open_home(tmp_path / "home")


def bags(scheme: list[str | None], *, split: str = "train") -> Bags:
    size = len(scheme)
    return Bags(
        np.arange(size), np.arange(size + 1), np.ones(size, np.int64),
        np.full(size, split, object), np.array(scheme, object), "actor",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ({"a": 5, "b": 7}, ["a", "b"]),
        ({"a": 5, "b": 4}, []),  # one kind and too few others is nothing to choose between
        ({"a": 5, "b": 3, "c": 2}, ["a"]),  # five of other kinds
        ({"a": 5, "other": 5}, ["a"]),
        ({"other": 50}, []),
        ({}, []),
    ],
)
def test_a_scheme_is_told_apart_from_five_training_labels_on(
    named: dict[str, int], told: list[str]
) -> None:
    training = [name for name, number in named.items() for _ in range(number)]
    assert told_apart(bags([*training, None, None])) == told
    assert told_apart(bags(training, split="test")) == []


def test_a_scheme_without_a_class_is_other_abuse_and_an_unnamed_one_teaches_none() -> None:
    assert kind_of(bags(["b", "c", None, "other", "a"]), ["a", "b"]).tolist() == [
        2, 0, UNTOLD, 0, 1,
    ]  # fmt: skip


def test_new_classes_change_no_score(seeded_home: Home) -> None:
    encoder = Encoder.load(seeded_home.model_dir("finetuned"))
    batch = read_log(seeded_home, "small").encode(encoder.tokenizer)
    before = probabilities(encoder, batch)
    add_schemes(encoder, ["fake_orders", "click_farm"])
    add_schemes(encoder, ["click_farm", "scraper"])
    assert kinds_of(encoder) == ["other", "fake_orders", "click_farm", "scraper"]
    np.testing.assert_allclose(probabilities(encoder, batch), before, atol=1e-6)
    score, kinds = probabilities_by_kind(encoder, batch)
    np.testing.assert_array_equal(score, probabilities(encoder, batch))
    expected = np.tile([1 / 6, 1 / 3, 1 / 3, 1 / 6], (len(batch), 1))  # of what `abuse` had
    np.testing.assert_allclose(kinds, expected, atol=1e-6)


def test_two_classes_are_the_binary_model_to_the_last_bit() -> None:
    logits = torch.randn(50, 2)
    assert torch.equal(binary(logits), logits)


def test_a_model_without_schemes_is_as_it_was(seeded_home: Home) -> None:
    encoder = load_encoder(seeded_home.model_dir("finetuned"))
    assert encoder.bert.config.id2label == ID2LABEL
    assert not hasattr(encoder.bert.config, "scheme_temperature")
    with seeded_home.engine.connect() as con:
        metrics = models.get(con, "finetuned").metrics
        assert "schemes" not in metrics
        assert cases.queue(con)["likely_scheme"].isna().all()
    assert "schemes" not in evaluate(seeded_home, "finetuned", "small")


def test_schemes_are_learned_beside_the_score_and_survive_on_disk(shop: Home) -> None:
    scorer = Scorer.load(shop.model_dir("named"))
    assert scorer.kinds == ["other", "click_farm", "fake_orders"]
    names = scorer.encoder.bert.config.id2label
    assert names == {0: "normal", 1: "abuse", 2: "click_farm", 3: "fake_orders"}
    assert scorer.encoder.bert.config.scheme_temperature > 0
    log = read_log(shop, "shop")
    score, kinds = scorer.predict_kinds(log.encode(scorer.encoder.tokenizer))
    kind = log.sequences["actor_id"].str[1:].astype(int).to_numpy() % 3
    assert score[kind < 2].min() > score[kind == 2].max()
    said = np.array(scorer.kinds)[kinds.argmax(axis=1)]
    assert (said[kind == 0] == "fake_orders").mean() > 0.9
    assert (said[kind == 1] == "click_farm").mean() > 0.9


def test_the_stock_classes_read_a_model_that_tells_schemes_apart(shop: Home) -> None:
    from transformers import AutoModelForSequenceClassification

    stock = AutoModelForSequenceClassification.from_pretrained(shop.model_dir("named")).eval()
    encoder = load_encoder(shop.model_dir("named"))
    batch = read_log(shop, "shop").encode(encoder.tokenizer).take([0, 1, 2])
    inputs, _ = encoder._inputs(batch)
    assert stock.config.label2id["fake_orders"] == 3
    with torch.inference_mode():
        torch.testing.assert_close(stock(**inputs).logits, encoder(batch), atol=1e-5, rtol=0)


def test_evaluation_reports_each_scheme_with_its_positives_and_intervals(shop: Home) -> None:
    found = evaluate(shop, "named", "shop")["schemes"]
    assert sorted(found) == ["click_farm", "fake_orders"]
    log = read_log(shop, "shop")
    assert log.bags is not None
    test = log.bags.of("test")
    for name, report in found.items():
        assert report["positives"] == (test.scheme == name).sum() > 0
        for metric in ("found", "recall", "precision"):
            assert report[metric]["low"] <= report[metric]["value"] <= report[metric]["high"]
        assert report["recall"]["value"] > 0.6
    with shop.engine.connect() as con:
        assert models.get(con, "named").metrics["schemes"] == found


def test_the_card_says_which_schemes_are_told_apart(shop: Home) -> None:
    card = (shop.model_dir("named") / "README.md").read_text()
    assert "Kinds of abuse told apart: Click farm, Fake orders." in card
    assert "| Fake orders |" in card


def test_the_queue_says_what_a_case_is_most_like(shop: Home) -> None:
    score_dataset(shop, Scorer.load(shop.model_dir("named")), "shop")
    with shop.engine.connect() as con:
        waiting = cases.queue(con, "shop")
    sure = waiting[waiting["score"] > 0.5]
    kind = sure["actor_id"].str[1:].astype(int) % 3
    assert (sure["likely_scheme"] == kind.map({0: "fake_orders", 1: "click_farm"})).mean() > 0.9
    assert sure["likely_share"].between(0.34, 1).all()


def test_going_on_from_a_model_keeps_its_schemes_where_nobody_names_any(shop: Home) -> None:
    with shop.engine.begin() as con:
        con.exec_driver_sql("UPDATE labels SET scheme = NULL")
    model = train(shop, "shop", parent_id="named", config=LEARNS, model_id="on")
    assert "schemes" not in model.metrics
    assert Scorer.load(shop.model_dir("on")).kinds == ["other", "click_farm", "fake_orders"]


def test_too_few_of_a_scheme_is_said_in_words() -> None:
    few = {"scheme_labels": {"told_apart": [], "train": {"fake_orders": 3}}}
    assert "two of them with 5 training labels each. Named so far: Fake orders (3)." in next(
        said_of(few)
    )
    some = {"scheme_labels": {"told_apart": ["scraper"], "train": {"scraper": 9, "x_y": 2}}}
    assert list(said_of(some)) == [
        "Kinds of abuse told apart: Bot or price scraper.",
        '"Something else" is all other abuse, with fewer than 5 training labels of a name: '
        "X y (2).",
    ]
    assert list(said_of({})) == []


def test_a_column_that_names_no_schemes_is_refused(shop: Home, tmp_path: Path) -> None:
    file = tmp_path / "notes.csv"
    rows = [f"u{actor:03},1,note number {actor}" for actor in range(60)]
    file.write_text("\n".join(["user_id,abuse,note", *rows]))
    with pytest.raises(BadInput, match=r"'note' names 60 schemes.*at most 50"):
        attach_labels(shop, "shop", file, key="user_id", label="abuse", on="actor", scheme="note")
