"""Every training leaves its settings, curve and figures behind, however it ends."""

import os
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from core.errors import BadInput, Cancelled, NotFound
from core.govern.config import TrainConfig
from core.govern.tracking import flat, tracked
from core.govern.training import train
from core.model.encoder import Size
from core.model.finetune import FinetuneConfig
from core.model.pretrain import PretrainConfig
from core.store import trainings
from core.store.home import Home
from core.store.trainings import Training
from core.worker import ROOT

TINY = TrainConfig(
    size=Size(layers=1, width=16, heads=2),
    pretrain=PretrainConfig(epochs=2),
    finetune=FinetuneConfig(epochs=3),
)


def newest(home: Home) -> Training:
    with home.engine.connect() as con:
        return trainings.get(con, trainings.of_dataset(con, "small")["id"].iloc[0])


def events_of(home: Home, training: Training) -> EventAccumulator:
    """Read a training's events as TensorBoard itself does."""
    events = EventAccumulator(str(home.training_dir(training.id)))
    events.Reload()
    return events


def test_a_training_is_in_the_store_with_its_settings_curve_and_figures(seeded_home: Home) -> None:
    points: list[dict[str, Any]] = []
    model = train(seeded_home, "small", config=TINY, analyst="eva", told=points.append)
    found = newest(seeded_home)
    assert (found.status, found.model_id, found.analyst) == ("done", model.id, "eva")
    assert found.id == model.id
    assert found.parameters["finetune.epochs"] == 3
    assert found.parameters["size.width"] == 16
    assert found.parameters["parent"] is None
    assert found.curve == [point for point in points if "loss" in point]
    judged = [point["validation_ap"] for point in points if "validation_ap" in point]
    assert found.metrics["validation_ap"] == max(judged)
    expected = model.metrics["test"]["average_precision"]["value"]
    assert found.metrics["test_average_precision"] == expected
    assert found.finished_at is not None


def test_tensorboard_reads_the_same_curve(seeded_home: Home) -> None:
    train(seeded_home, "small", config=TINY)
    found = newest(seeded_home)
    events = events_of(seeded_home, found)
    for phase in ("pre-training", "fine-tuning"):
        kept = {p["epoch"]: p["loss"] for p in found.curve if p["phase"] == phase}
        read = {one.step: one.value for one in events.Scalars(f"{phase}/loss")}
        assert read == pytest.approx(kept)
    assert len(events.Scalars("fine-tuning/validation_ap")) == 3
    best = events.Scalars("result/validation_ap")[0].value
    assert best == pytest.approx(found.metrics["validation_ap"])


def written(home: Home) -> list[str]:
    """Return the curves in the newest training's events."""
    return list(events_of(home, newest(home)).Tags()["scalars"])


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (Cancelled(), "cancelled", "Stopped by hand."),
        (KeyboardInterrupt(), "cancelled", "Stopped by hand."),
        (BadInput("The loss is not a number."), "failed", "The loss is not a number."),
        (ZeroDivisionError("by zero"), "failed", "Unexpected ZeroDivisionError: by zero"),
    ],
)
def test_a_training_that_ended_early_stays_visible_with_its_curve(
    seeded_home: Home, error: BaseException, status: str, said: str
) -> None:
    def stop(point: dict[str, Any]) -> None:
        if point["phase"] == "fine-tuning" and "loss" in point:
            raise error

    with pytest.raises(type(error)):
        train(seeded_home, "small", config=TINY, told=stop)
    found = newest(seeded_home)
    assert (found.status, found.message, found.model_id) == (status, said, None)
    assert [point["phase"] for point in found.curve] == ["pre-training"] * 2 + ["fine-tuning"]
    assert len(events_of(seeded_home, found).Scalars("pre-training/loss")) == 2


def test_a_killed_training_is_told_from_a_running_one(seeded_home: Home) -> None:
    code = (
        "import sys, time\n"
        "from core.govern.tracking import tracked\n"
        "from core.store.home import open_home\n"
        "with tracked(open_home(sys.argv[1]), 'small', {}, analyst='eva', told=print) as one:\n"
        "    one.point({'phase': 'pre-training', 'epoch': 1, 'loss': 2.0, 'progress': 0.1})\n"
        "    time.sleep(600)\n"
    )
    command = [sys.executable, "-c", code, str(seeded_home.path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while newest(seeded_home).analyst != "eva" or "pre-training/loss" not in written(seeded_home):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    trainings.find_crashed(seeded_home)
    assert newest(seeded_home).status == "running"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    trainings.find_crashed(seeded_home)
    found = newest(seeded_home)
    assert (found.status, found.message) == ("crashed", trainings.CRASHED)
    assert [point["loss"] for point in found.curve] == [2.0]
    assert events_of(seeded_home, found).Scalars("pre-training/loss")[0].value == 2.0


def test_a_training_of_this_very_process_is_not_taken_for_a_crashed_one(seeded_home: Home) -> None:
    def stop(point: dict[str, Any]) -> None:
        raise AssertionError

    with tracked(seeded_home, "small", {}, analyst="eva", told=stop):
        trainings.find_crashed(seeded_home)
        assert newest(seeded_home).status == "running"
    assert newest(seeded_home).status == "done"


def test_an_unknown_data_set_is_refused_and_leaves_nothing(home: Home) -> None:
    with pytest.raises(NotFound, match="no data set 'absent'"):
        train(home, "absent", config=TINY)
    assert not (home.path / "trainings").exists()


def test_a_deleted_data_set_leaves_its_trainings_without_it(seeded_home: Home) -> None:
    from core.store.datasets import delete_dataset

    train(seeded_home, "small", config=TINY)
    training_id = newest(seeded_home).id
    delete_dataset(seeded_home, "small")
    with seeded_home.engine.connect() as con:
        assert trainings.get(con, training_id).dataset_id is None


def test_settings_are_flat_however_deep() -> None:
    assert flat({"a": 1, "b": {"c": 2, "d": {"e": np.pi}}}) == {"a": 1, "b.c": 2, "b.d.e": np.pi}
