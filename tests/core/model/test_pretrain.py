"""Pre-training goes through a log part by part, and goes on after it was killed."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.batch import Batch, joined
from core.errors import BadInput
from core.govern.config import TrainConfig
from core.govern.log import read_log
from core.govern.training import train
from core.model.batching import Parts
from core.model.checkpoint import Checkpoint
from core.model.encoder import Encoder, Size
from core.model.finetune import FinetuneConfig
from core.model.pretrain import PretrainConfig, pretrain
from core.store.home import Home
from core.worker import ROOT

CONFIG = PretrainConfig(epochs=3, batch_size=4)
TINY = TrainConfig(
    size=Size(layers=1, width=16, heads=2),
    pretrain=PretrainConfig(epochs=30, batch_size=8),
    finetune=FinetuneConfig(epochs=1),
)


@pytest.fixture
def parts(seeded_home: Home) -> tuple[Encoder, Parts]:
    log = read_log(seeded_home, "small")
    tokenizer = log.fit_tokenizer()
    batch = log.encode(tokenizer)
    size = Size(layers=1, width=16, heads=2)
    encoder = Encoder.create(tokenizer, layout="summed", max_events=64, size=size, seed=0)
    rows = np.array_split(np.arange(len(batch)), 3)
    return encoder, Parts([len(part) for part in rows], lambda number: batch.take(rows[number]))


def copy_of(encoder: Encoder) -> Encoder:
    again = Encoder(type(encoder.bert)(encoder.bert.config), encoder.tokenizer)
    again.load_state_dict(encoder.state_dict())
    return again


class Killed(Exception):
    pass


@pytest.mark.parametrize("after", [1, 7, 15, 30])
def test_a_killed_pre_training_ends_with_the_weights_of_one_never_killed(
    parts: tuple[Encoder, Parts], tmp_path: Path, after: int
) -> None:
    encoder, log = parts
    whole, stopped, resumed = copy_of(encoder), copy_of(encoder), copy_of(encoder)
    quiet: Any = lambda point: None  # noqa: E731
    pretrain(whole, log, CONFIG, seed=3, report=quiet, checkpoint=Checkpoint(None))
    taken: list[int] = []

    def read(number: int) -> Batch:
        taken.append(number)
        return log.read(number)

    class Dying(Checkpoint):
        saved = 0
        due = True

        def save(self, *state: Any) -> None:
            super().save(*state)
            self.saved += 1
            if self.saved == after:
                raise Killed

    file = tmp_path / "checkpoints" / "one.pt"
    with pytest.raises(Killed):
        pretrain(stopped, log, CONFIG, seed=3, report=quiet, checkpoint=Dying(file))
    watched = Parts(log.sizes, read)
    pretrain(resumed, watched, CONFIG, seed=3, report=quiet, checkpoint=Checkpoint(file))
    assert len(taken) < 10 if after > 1 else len(taken) <= 10
    for name, weight in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], weight, rtol=0, atol=0)
    assert not torch.equal(
        next(iter(whole.state_dict().values())), next(iter(encoder.state_dict().values()))
    )


@pytest.mark.parametrize("held", ["damaged", "another vocabulary", "something else"])
def test_a_checkpoint_that_cannot_be_used_is_begun_anew(
    parts: tuple[Encoder, Parts], tmp_path: Path, held: str
) -> None:
    encoder, log = parts
    whole, again = copy_of(encoder), copy_of(encoder)
    file = tmp_path / "one.pt"
    file.write_bytes(b"PK\x03\x04 not what it was")
    if held == "another vocabulary":
        weights = {name: weight[:-1] for name, weight in encoder.state_dict().items()}
        torch.save({"weights": weights, "optimiser": {}, "position": {}}, file)
    elif held == "something else":
        torch.save([1, 2, 3], file)
    for one, kept in ((whole, Checkpoint(None)), (again, Checkpoint(file))):
        pretrain(one, log, CONFIG, seed=0, report=lambda _: None, checkpoint=kept)
    for name, weight in whole.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], weight, rtol=0, atol=0)


def test_a_log_in_parts_encodes_as_the_log_as_a_whole(parts: tuple[Encoder, Parts]) -> None:
    log = parts[1]
    whole = joined(list(log))
    assert len(whole) == 60
    one = log[1].take([2])
    np.testing.assert_array_equal(whole.take([22]).ids, one.ids)
    np.testing.assert_array_equal(whole.take([22]).event, one.event)


def test_rows_are_encoded_in_the_order_they_are_asked_for(seeded_home: Home) -> None:
    log = read_log(seeded_home, "small")
    tokenizer = log.fit_tokenizer()
    rows = np.array([41, 3, 3, 17])
    np.testing.assert_array_equal(
        log.encode(tokenizer, rows).ids, log.encode(tokenizer).take(rows).ids
    )


def test_training_after_a_kill_goes_on_and_leaves_no_checkpoint(seeded_home: Home) -> None:
    def stop_late(point: dict[str, Any]) -> None:
        if point["phase"] == "fine-tuning":
            raise Killed

    with pytest.raises(Killed):
        train(seeded_home, "small", config=TINY, told=stop_late)
    assert len(list(seeded_home.checkpoints.iterdir())) == 1
    points: list[dict[str, Any]] = []
    train(seeded_home, "small", config=TINY, told=points.append)
    assert not [point for point in points if point["phase"] == "pre-training"]
    assert list(seeded_home.checkpoints.iterdir()) == []


FULL = """
import resource, sys
from dataclasses import replace
from core.errors import BadInput
from core.govern.training import train
from core.store.home import open_home
from core.model.encoder import Size
from tests.core.model.test_pretrain import TINY
large = replace(TINY, size=Size(layers=1, width=256, heads=2))  # larger than the database
home = open_home(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, resource.RLIM_INFINITY))
try:
    train(home, "small", config=large)
except BadInput as error:
    print(error)
"""


def test_a_full_disk_is_said_and_leaves_nothing_half_written(seeded_home: Home) -> None:
    """A limit on the size of files stands for the disk: the system refuses the same writes."""
    before = set((seeded_home.path / "models").iterdir())
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FULL, str(seeded_home.path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "no room" in done.stdout, done.stderr
    assert set((seeded_home.path / "models").iterdir()) == before
    assert not list(seeded_home.checkpoints.glob("*"))
    assert not list(seeded_home.checkpoints.glob(".*"))


LATER = """
import resource, sys
from core.errors import BadInput
from core.govern.training import train
from core.model.checkpoint import Checkpoint
from core.store.home import open_home
from tests.core.model.test_pretrain import WIDE
Checkpoint.due = True
home = open_home(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    train(home, "small", config=WIDE)
except BadInput as error:
    print(error)
"""
WIDE = replace(TINY, size=Size(layers=1, width=256, heads=2))  # larger than the database


def test_a_disk_that_is_full_while_fine_tuning_loses_nothing(seeded_home: Home) -> None:
    def stop(point: dict[str, Any]) -> None:
        if point["phase"] == "fine-tuning":
            raise Killed

    with pytest.raises(Killed):
        train(seeded_home, "small", config=WIDE, told=stop)
    pretrained = next(seeded_home.checkpoints.iterdir())
    room = int(1.2 * pretrained.stat().st_size)  # what fine-tuning keeps is larger
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LATER, str(seeded_home.path), str(room)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "no room" in done.stdout, done.stderr
    assert list(seeded_home.checkpoints.iterdir()) == [pretrained]
    points: list[dict[str, Any]] = []
    train(seeded_home, "small", config=WIDE, told=points.append)
    assert not [point for point in points if point["phase"] == "pre-training"]


def test_a_diverged_loss_is_refused_and_leaves_no_model(seeded_home: Home) -> None:
    before = set((seeded_home.path / "models").iterdir())
    config = TrainConfig(size=TINY.size, pretrain=PretrainConfig(epochs=2, learning_rate=1e30))
    with pytest.raises(BadInput, match="not a number"):
        train(seeded_home, "small", config=config)
    assert set((seeded_home.path / "models").iterdir()) == before
