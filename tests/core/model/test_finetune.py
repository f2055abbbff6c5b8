"""Fine-tuning: what each method changes, what an augmentation may change, honest probabilities."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.batch import Batch
from core.errors import BadInput, NotFound
from core.govern.config import TrainConfig
from core.govern.log import read_log
from core.govern.replay import earlier, lesson, with_replay
from core.govern.training import train
from core.logs.importing import import_log
from core.logs.labels import attach_labels
from core.model.adapting import Method
from core.model.augment import crop, drop_events, hide, jitter, rotate
from core.model.calibration import fit_temperature
from core.model.checkpoint import Checkpoint
from core.model.encoder import Encoder, Size
from core.model.finetune import STEPS, FinetuneConfig, finetune
from core.model.inference import probabilities
from core.model.pretrain import PretrainConfig
from core.store.home import Home
from tests.conftest import as_split_by_time, small_log

TINY = TrainConfig(
    size=Size(layers=1, width=16, heads=2),
    pretrain=PretrainConfig(epochs=1),
    finetune=FinetuneConfig(epochs=2),
)


@pytest.fixture
def pretrained(seeded_home: Home) -> Encoder:
    return Encoder.load(seeded_home.model_dir("pretrained")).with_classifier(0)


@pytest.fixture
def batch(seeded_home: Home, pretrained: Encoder) -> Batch:
    return read_log(seeded_home, "small").encode(pretrained.tokenizer)


def events_of(batch: Batch, row: int) -> list[tuple[int, ...]]:
    """Return a sequence's events, each as the ids of its tokens; the profile comes first."""
    one = batch.take([row])
    return [tuple(one.ids[one.event == number].tolist()) for number in range(one.positions[0])]


@pytest.mark.parametrize("name", ["crop", "rotate", "drop_events", "jitter"])
def test_an_augmentation_keeps_the_profile_and_whole_events(
    batch: Batch, pretrained: Encoder, name: str
) -> None:
    change = {"crop": crop, "rotate": rotate, "drop_events": drop_events, "jitter": jitter}[name]
    changed = change(batch, np.random.default_rng(0), pretrained.tokenizer)
    assert len(changed) == len(batch)
    differ = 0
    for row in range(len(batch)):
        before, after = events_of(batch, row), events_of(changed, row)
        differ += before != after
        assert after[0] == before[0] or name == "jitter"
        assert len(after) >= 2
        if name == "rotate":
            assert any(
                before[1 + k :] + before[1 : 1 + k] == after[1:] for k in range(len(before) - 1)
            )
        elif name == "crop":
            runs = [before[k : k + len(after) - 1] for k in range(1, len(before))]
            assert after[1:] in runs
        elif name == "drop_events":
            rest = iter(before[1:])
            assert all(event in rest for event in after[1:])  # in the old order
        else:
            assert len(after) == len(before)
    assert differ > len(batch) / 4


def test_jitter_moves_durations_by_one_token_and_nothing_else(
    batch: Batch, pretrained: Encoder
) -> None:
    tokenizer = pretrained.tokenizer
    changed = jitter(batch, np.random.default_rng(0), tokenizer)
    moved = np.flatnonzero(changed.ids != batch.ids)
    assert len(moved) > 0
    assert (np.abs(changed.ids[moved] - batch.ids[moved]) == 1).all()
    kinds = {tokenizer.fields[field - 1].kind for field in batch.field[moved]}
    assert kinds == {"seconds"}
    assert not any("=missing" in tokenizer.tokens[i] for i in changed.ids[moved])


@pytest.mark.parametrize("change", [crop, rotate, drop_events, hide])
def test_the_same_draw_gives_the_same_sequences_and_leaves_the_given_ones(
    batch: Batch, change: Any
) -> None:
    before = batch.ids.copy()
    first, second = (change(batch, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first.ids, second.ids)
    np.testing.assert_array_equal(batch.ids, before)


def changed_weights(encoder: Encoder, before: dict[str, torch.Tensor]) -> set[str]:
    return {n for n, w in encoder.bert.state_dict().items() if not torch.equal(w, before[n])}


@pytest.mark.parametrize("method", ["full", "lora", "head"])
def test_a_method_changes_its_weights_only_and_leaves_a_stock_model(
    seeded_home: Home, pretrained: Encoder, method: Method
) -> None:
    before = {name: weight.clone() for name, weight in pretrained.bert.state_dict().items()}
    known = lesson(read_log(seeded_home, "small"), pretrained.tokenizer)
    config = FinetuneConfig(method=method, epochs=6, learning_rate=2e-3)
    finetune(pretrained, known.batch, known.bags, config, seed=0, report=lambda _: None)
    assert set(pretrained.bert.state_dict()) == set(before)
    assert all(weight.requires_grad for weight in pretrained.parameters())
    changed = changed_weights(pretrained, before)
    head = {name for name in before if name.startswith(("classifier", "bert.pooler"))}
    embeddings = {name for name in before if "embeddings" in name}
    assert head <= changed
    assert (changed == head) == (method == "head")
    assert bool(changed & embeddings) == (method == "full")
    folder = seeded_home.path / "again"
    folder.mkdir()
    pretrained.save(folder)
    again = Encoder.load(folder)
    np.testing.assert_array_equal(
        probabilities(again, known.batch), probabilities(pretrained, known.batch)
    )


def test_a_diverged_fine_tuning_is_refused_in_words(seeded_home: Home, pretrained: Encoder) -> None:
    known = lesson(read_log(seeded_home, "small"), pretrained.tokenizer)
    config = FinetuneConfig(epochs=3, learning_rate=1e30)
    with pytest.raises(BadInput, match="not a number"):
        finetune(pretrained, known.batch, known.bags, config, seed=0, report=lambda _: None)


@pytest.mark.parametrize("epochs", [None, 2])
def test_a_few_labels_are_learned_in_as_many_steps_as_more_would_be_unless_told_otherwise(
    seeded_home: Home, pretrained: Encoder, epochs: int | None
) -> None:
    known = lesson(read_log(seeded_home, "small"), pretrained.tokenizer)
    batches = -(-len(known.bags.of("train")) // 8)

    def stop(point: dict[str, Any]) -> None:
        if "epoch" in point:
            assert point["progress"] == pytest.approx(1 / (epochs or -(-STEPS // batches)))
            raise Killed

    config = FinetuneConfig(epochs=epochs, batch_size=8)
    with pytest.raises(Killed):
        finetune(pretrained, known.batch, known.bags, config, seed=0, report=stop)


def two_classes(margin: np.ndarray) -> np.ndarray:
    return np.column_stack([np.zeros(len(margin)), margin])


@given(true=st.sampled_from([0.4, 1.0, 3.0]), seed=st.integers(0, 20))
def test_the_temperature_is_that_of_the_labels(true: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    honest = rng.normal(scale=2, size=4000)
    label = (rng.random(4000) < 1 / (1 + np.exp(-honest))).astype(np.int64)
    assert fit_temperature(two_classes(honest * true), label) == pytest.approx(true, rel=0.2)


def test_a_handful_of_labels_does_not_make_the_model_certain() -> None:
    perfect = fit_temperature(two_classes(np.array([2.0, 3.0, -2.0, -3.0])), np.array([1, 1, 0, 0]))
    assert 0.2 < perfect < 1


def test_the_temperature_is_applied_and_changes_no_order(pretrained: Encoder, batch: Batch) -> None:
    plain = probabilities(pretrained, batch).astype(float)
    pretrained.bert.config.calibration_temperature = 2.0
    cooled = probabilities(pretrained, batch).astype(float)
    margin = np.log(plain / (1 - plain))
    np.testing.assert_allclose(np.log(cooled / (1 - cooled)), margin / 2, atol=1e-4)


def test_a_label_nobody_is_sure_of_teaches_nothing(seeded_home: Home, pretrained: Encoder) -> None:
    known = lesson(read_log(seeded_home, "small"), pretrained.tokenizer)
    wrong = known.bags.split == "train"
    wrong[np.flatnonzero(wrong)[::2]] = False  # every second training label is turned
    turned = replace(known.bags, label=np.where(wrong, 1 - known.bags.label, known.bags.label))
    rows_of = np.repeat(np.arange(len(turned)), np.diff(turned.offsets))
    sure = np.ones(len(known.batch))
    sure[turned.rows[wrong[rows_of]]] = 0.0
    config = FinetuneConfig(epochs=8, learning_rate=2e-3)
    finetune(
        pretrained, known.batch, turned, config, seed=0, report=lambda _: None, confidence=sure
    )
    score = known.bags.maximum(probabilities(pretrained, known.batch.take(known.bags.rows)))
    assert score[known.bags.label == 1].min() > score[known.bags.label == 0].max()


@pytest.fixture
def second(seeded_home: Home) -> Home:
    """A second log in which others are abusive, and what was abuse is not."""
    log = small_log(seed=1)
    night = log["user_id"].str[1:].astype(int) % 3 == 0
    log.loc[night, "event_type"] = "cart"
    log.to_csv(seeded_home.path / "second.csv", index=False)
    import_log(seeded_home, seeded_home.path / "second.csv", name="second")
    users = log["user_id"].drop_duplicates()
    truth = users.to_frame().assign(abuse=[int(user[1:]) % 3 == 1 for user in users])
    truth.to_csv(seeded_home.path / "labels2.csv", index=False)
    attach_labels(
        seeded_home, "second", seeded_home.path / "labels2.csv", key="user_id", label="abuse",
        on="actor",
    )  # fmt: skip
    return seeded_home


def test_going_on_from_a_model_replays_what_it_learned_and_says_how_that_fared(
    second: Home,
) -> None:
    model = train(second, "second", parent_id="finetuned", config=TINY)
    told = model.metrics["replayed"]
    assert [one["dataset"] for one in told] == ["small"]
    assert told[0]["before"] > 0.95
    assert told[0]["after"] >= told[0]["before"] - 0.02


def test_replay_is_of_training_rows_and_never_more_than_the_new_ones(second: Home) -> None:
    encoder = Encoder.load(second.model_dir("finetuned"))
    new = lesson(read_log(second, "second"), encoder.tokenizer)
    old = earlier(second, "finetuned", "second", encoder)
    both = with_replay(new, old, np.random.default_rng(0))
    count = len(new.bags)
    added = both.bags.take(np.arange(count, len(both.bags)))
    assert 0 < len(added) <= len(new.bags.of("train"))
    assert set(added.split) == {"train"}
    assert (added.rows >= len(new.batch)).all()
    first = both.batch.take(added.rows[:1])
    known = [old[0].batch.take([row]).ids.tolist() for row in range(len(old[0].batch))]
    assert first.ids.tolist() in known


def test_replay_teaches_nothing_that_the_model_before_was_tested_on(second: Home) -> None:
    as_split_by_time(second, "finetuned")
    encoder = Encoder.load(second.model_dir("finetuned"))
    (old,) = earlier(second, "finetuned", "second", encoder)
    by_time = read_log(second, "small", split_by="time").bags
    assert by_time is not None
    assert old.bags.split.tolist() == by_time.split.tolist()


def test_a_deleted_data_set_is_not_replayed(second: Home) -> None:
    from core.store.datasets import delete_dataset

    delete_dataset(second, "small")
    encoder = Encoder.load(second.model_dir("finetuned"))
    assert earlier(second, "finetuned", "second", encoder) == []
    with pytest.raises(NotFound):
        read_log(second, "small")


class Killed(Exception):
    pass


class Dying(Checkpoint):
    """Kills the training right after its `after`-th checkpoint; one is due at every step."""

    due = True
    after = 0
    saved = 0

    def save(self, *state: Any) -> None:
        super().save(*state)
        self.saved += 1
        if self.saved == self.after:
            raise Killed


@pytest.mark.parametrize(
    ("after", "method"), [(1, "full"), (4, "full"), (9, "full"), (11, "lora"), (13, "head")]
)
def test_a_killed_fine_tuning_ends_with_the_weights_of_one_never_killed(
    seeded_home: Home, tmp_path: Path, after: int, method: Method
) -> None:
    known = lesson(
        read_log(seeded_home, "small"), Encoder.load(seeded_home.model_dir("pretrained")).tokenizer
    )
    # Seven steps an epoch, of two batches each; the last one of an epoch has no second.
    config = FinetuneConfig(
        method=method, epochs=3, patience=2, batch_size=3, accumulate=2, learning_rate=2e-3
    )
    kinds = np.where(
        known.bags.label == 1, np.where(np.arange(len(known.bags)) % 2, "a", "b"), None
    )
    named = replace(known.bags, scheme=kinds)
    told: dict[str, list[dict[str, Any]]] = {"whole": [], "resumed": []}

    def run(checkpoint: Checkpoint, points: list[dict[str, Any]]) -> Encoder:
        encoder = Encoder.load(seeded_home.model_dir("pretrained")).with_classifier(0)
        finetune(
            encoder, known.batch, named, config, seed=3, report=points.append, checkpoint=checkpoint
        )
        return encoder

    whole = run(Checkpoint(None), told["whole"])
    dying = Dying(tmp_path / "one.pt")
    dying.after = after
    with pytest.raises(Killed):
        run(dying, [])
    resumed = run(Checkpoint(tmp_path / "one.pt"), told["resumed"])
    for name, weight in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], weight, rtol=0, atol=0)
    assert len(told["resumed"]) < len(told["whole"])
    assert told["whole"][-1] == told["resumed"][-1]
    assert resumed.bert.config.to_dict() == whole.bert.config.to_dict()


def test_a_training_killed_while_fine_tuning_goes_on_and_leaves_no_checkpoint(
    seeded_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checkpoint, "due", True)
    config = replace(TINY, finetune=FinetuneConfig(epochs=3, batch_size=4))

    def stop(point: dict[str, Any]) -> None:
        if point["phase"] == "fine-tuning" and point.get("epoch") == 2:
            raise Killed

    with pytest.raises(Killed):
        train(seeded_home, "small", config=config, told=stop)
    assert len(list(seeded_home.checkpoints.iterdir())) == 2  # one of each phase
    points: list[dict[str, Any]] = []
    resumed = train(seeded_home, "small", config=config, told=points.append)
    assert [point["epoch"] for point in points if "epoch" in point] == [2, 3]
    assert not list(seeded_home.checkpoints.iterdir())
    whole = train(seeded_home, "small", config=config)
    assert resumed.metrics["test"] == whole.metrics["test"]


def test_other_labels_do_not_go_on_from_a_checkpoint(
    seeded_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checkpoint, "due", True)
    config = replace(TINY, finetune=FinetuneConfig(epochs=2, batch_size=4))

    def stop(point: dict[str, Any]) -> None:
        if point.get("epoch") == 1 and point["phase"] == "fine-tuning":
            raise Killed

    with pytest.raises(Killed):
        train(seeded_home, "small", config=config, told=stop)
    with seeded_home.engine.begin() as con:
        con.exec_driver_sql("UPDATE labels SET label = NOT label WHERE key = 'u001'")
    points: list[dict[str, Any]] = []
    train(seeded_home, "small", config=config, told=points.append)
    tuned = [p for p in points if p["phase"] == "fine-tuning"]
    assert tuned[0]["progress"] == 0
