"""Several processes train what one would; they really run, exchange gradients and are killed."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from core.batch import Batch
from core.errors import BadInput
from core.govern.config import TrainConfig
from core.govern.log import read_log
from core.govern.training import train
from core.model.batching import Parts, Report
from core.model.checkpoint import Checkpoint
from core.model.distributed import processes, shared
from core.model.encoder import Encoder, Size
from core.model.finetune import FinetuneConfig, finetune
from core.model.pretrain import PretrainConfig, pretrain
from core.model.units import Bags
from core.store import models, trainings
from core.store.home import Home, open_home
from core.worker import ROOT

PRETRAINING = PretrainConfig(epochs=2, batch_size=7, event_share=0.2)
FINETUNING = FinetuneConfig(epochs=2, batch_size=5, accumulate=2, dropout=0.0, learning_rate=1e-3)
LAUNCH = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone"]


class Stopped(Exception):
    pass


def torchrun(*arguments: str, home: Home) -> "subprocess.Popen[str]":
    """Start two processes of one core each."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "SPOOR_HOME": str(home.path)}
    return subprocess.Popen(
        [*LAUNCH, "--nproc-per-node", "2", *arguments],
        cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def prepared(home: Home) -> tuple[Encoder, Batch, Parts]:
    """Return an untrained encoder without dropout, and a log as a whole and in parts."""
    log = read_log(home, "small")
    tokenizer = log.fit_tokenizer()
    batch = log.encode(tokenizer)
    rows = np.array_split(np.arange(len(batch)), 3)
    parts = Parts([len(part) for part in rows], lambda number: batch.take(rows[number]))
    size = Size(layers=1, width=16, heads=2, dropout=0.0)
    encoder = Encoder.create(tokenizer, layout="summed", max_events=64, size=size, seed=0)
    return encoder, batch, parts


def pretrained(home: Home, file: Path | None = None, report: Report = print) -> Encoder:
    encoder, _, parts = prepared(home)
    kept = Checkpoint(file, every=0.0)
    pretrain(encoder, parts, PRETRAINING, seed=3, report=report, checkpoint=kept)
    return encoder


def learned(home: Home) -> dict[str, Any]:
    """Pre-train, then fine-tune on bags of two sequences."""
    curve: list[dict[str, Any]] = []
    encoder = pretrained(home, report=curve.append)
    before = weights(encoder)
    _, batch, _ = prepared(home)
    encoder = encoder.with_classifier(0)
    finetune(encoder, batch, pairs(len(batch)), FINETUNING, seed=3, report=curve.append)
    losses = [point["loss"] for point in curve if "loss" in point]
    return {"pretrained": before, "finetuned": weights(encoder), "losses": losses}


@dataclass(frozen=True)
class TooLarge:
    """A step that fits no GPU."""

    def share(self, number: int, processes: int) -> "TooLarge":
        return self

    def loss(self, encoder: Encoder) -> torch.Tensor:
        raise torch.OutOfMemoryError


def test_a_step_that_does_not_fit_the_memory_is_refused_in_words(seeded_home: Home) -> None:
    encoder, _, _ = prepared(seeded_home)
    with shared(encoder) as add, pytest.raises(BadInput, match="more memory than cpu has free"):
        add(TooLarge(), 0, 1)


def pairs(sequences: int) -> Bags:
    """Return bags of two sequences of which every second is abuse, of one of two schemes."""
    number = np.arange(sequences // 2)
    split = np.where(number % 3 == 0, "validation", "train").astype(object)
    scheme = np.where(number % 4 == 1, "scraping", "click_farm").astype(object)
    scheme[number % 2 == 0] = None
    offsets = 2 * np.arange(len(number) + 1)
    return Bags(np.arange(2 * len(number)), offsets, number % 2, split, scheme, "actor")


def weights(encoder: Encoder) -> dict[str, torch.Tensor]:
    """Return the weights, but for biases of keys: they move no output, so rounding moves them."""
    state = encoder.state_dict().items()
    return {name: one.clone() for name, one in state if not name.endswith("key.bias")}


def learn_and_write(folder: Path) -> None:
    """Train in each process, stopped at first; the main one writes what came of it."""

    def stop(point: dict[str, Any]) -> None:
        if point["progress"] >= 0.5:
            raise Stopped

    with processes(lambda: torch.device("cpu")) as main:
        if main:
            with pytest.raises(Stopped):
                pretrained(open_home(), folder / "stopped.pt", stop)
            torch.save(learned(open_home()), folder / "found.pt")


def test_two_processes_learn_what_one_learns(seeded_home: Home, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys; sys.path.insert(0, '.')\n"
        "from tests.core.model.test_distributed import learn_and_write\n"
        f"learn_and_write(__import__('pathlib').Path({str(tmp_path)!r}))\n"
    )
    _, said = (ended := torchrun(str(script), home=seeded_home)).communicate()
    assert ended.returncode == 0, said
    two, one = torch.load(tmp_path / "found.pt"), learned(seeded_home)
    np.testing.assert_allclose(two["losses"], one["losses"], rtol=0, atol=1e-5)
    assert len(one["losses"]) == 4
    torch.testing.assert_close(two["pretrained"], one["pretrained"], rtol=0, atol=1e-5)
    torch.testing.assert_close(two["finetuned"], one["finetuned"], rtol=0, atol=1e-5)
    assert torch.load(tmp_path / "stopped.pt")["position"]["step"] > 0
    gone_on = weights(pretrained(seeded_home, tmp_path / "stopped.pt"))
    torch.testing.assert_close(gone_on, one["pretrained"], rtol=0, atol=1e-5)


def test_torchrun_registers_one_model_with_the_metrics_of_one_process(seeded_home: Home) -> None:
    started = torchrun("-m", "core", "train", "small", "--epochs", "1", "--json", home=seeded_home)
    said, complaints = started.communicate()
    assert started.returncode == 0, complaints
    two = json.loads(said)  # one object: the other process prints nothing
    with seeded_home.engine.connect() as con:
        assert set(models.all_models(con)["id"]) == {"pretrained", "finetuned", two["model"]}
        assert trainings.of_dataset(con, "small")["model_id"].tolist()[0] == two["model"]
        assert len(trainings.of_dataset(con, "small")) == 3
    one = train(seeded_home, "small", config=TrainConfig.of(epochs=1)).metrics
    for name in ("roc_auc", "average_precision", "brier_score"):
        expected, found = one["test"][name], two["metrics"]["test"][name]
        assert expected["low"] <= found["value"] <= expected["high"]


@pytest.mark.parametrize("rank", ["0", "1"])
def test_a_killed_process_ends_the_training_clearly_and_registers_nothing(
    seeded_home: Home, rank: str
) -> None:
    before = everything(seeded_home)
    started = torchrun("-m", "core", "train", "small", "--epochs", "9999", home=seeded_home)
    crew = wait_for_a_curve(seeded_home, started)
    killed = next(one for one in crew if one.environ()["RANK"] == rank)
    other = next(one for one in crew if one != killed)
    killed.kill()
    with suppress(psutil.NoSuchProcess):  # told again and again while it ends
        while other.is_running() and started.poll() is None:
            other.terminate()
            time.sleep(0.01)
    _, complaints = started.communicate(timeout=120)
    assert started.returncode != 0
    assert "spoor: Another process of this training ended" in complaints
    assert not any(one.is_running() for one in crew)
    assert everything(seeded_home) == before
    trainings.find_crashed(seeded_home)
    with seeded_home.engine.connect() as con:
        last = trainings.of_dataset(con, "small").iloc[0]
        assert len(models.all_models(con)) == 2
    if rank == "0":  # it wrote nothing more: whoever looks next finds out
        assert last["status"] == "crashed"
    else:
        assert last["status"] == "failed"
        assert "no model was registered" in last["message"]


def everything(home: Home) -> set[Path]:
    """Return the models and checkpoints, whole or half."""
    return {path for name in ("models", "checkpoints") for path in (home.path / name).glob("*")}


def wait_for_a_curve(home: Home, started: "subprocess.Popen[str]") -> list[psutil.Process]:
    """Return the processes of a training once they are learning."""
    while started.poll() is None:
        with home.engine.connect() as con:
            newest = trainings.of_dataset(con, "small").iloc[0]
        if newest["status"] == "running" and newest["curve"] not in ("[]", []):
            return psutil.Process(started.pid).children()
        time.sleep(0.1)
    raise AssertionError(started.communicate()[1])
