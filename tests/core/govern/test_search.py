"""Search: bad settings do not end it, a killed one goes on, the best is trained and registered."""

import json
import subprocess
import sys
import time
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import delete

from core.errors import BadInput, Cancelled
from core.govern.config import TrainConfig
from core.govern.search import SPACE, Found, Setting, changed, tune
from core.store import jobs, models, trainings
from core.store.home import Home
from core.store.tables import labels
from core.worker import ROOT, run_worker

pytestmark = pytest.mark.slow

SMALL = (Setting("size.layers", (1,)), Setting("size.width", (16,)))
RATES = (*SMALL, Setting("finetune.learning_rate", (1e-3, 2e-3, 4e-3), "log"))
# Whatever the order, five of these end before the first can be given up, and some learn nothing.
HOPELESS = (*SMALL, Setting("finetune.learning_rate", (3e-3, 4e-3, 5e-3, 6e-3, 1e-9, 2e-9, 1e30)))


def trials_of(home: Home, search: str) -> pd.DataFrame:
    with home.engine.connect() as con:
        return trainings.trials(con, search)


def search(home: Home, **asked: Any) -> Found:
    return tune(home, "small", **{"trials": 3, "epochs": 2, "space": RATES} | asked)


def test_the_best_by_validation_is_trained_and_registered_with_where_it_comes_from(
    seeded_home: Home,
) -> None:
    found = search(seeded_home, analyst="eva")
    frame = trials_of(seeded_home, found.search)
    assert frame["status"].tolist() == ["done"] * 3
    judged = frame["metrics"].map(lambda one: one["validation_ap"])
    assert found.validation_ap == judged.max()
    best = frame.set_index("trial").loc[found.trial, "parameters"]
    assert {path: best[path] for path in found.settings} == found.settings
    with seeded_home.engine.connect() as con:
        model = models.get(con, found.model.id)
        retrained = trainings.of_dataset(con, "small").iloc[0]
    assert (model.status, retrained["model_id"]) == ("candidate", model.id)
    assert retrained["parameters"] == {**best, "parent": None}
    assert retrained["curve"] == frame.set_index("trial").loc[found.trial, "curve"]
    card = (seeded_home.model_dir(model.id) / "README.md").read_text()
    assert "best of a search of 3 trials (tpe sampler, seed 0" in card
    training = json.loads((seeded_home.model_dir(model.id) / "training.json").read_text())
    assert training["finetune"]["learning_rate"] == found.settings["finetune.learning_rate"]


def test_trials_that_fail_or_fall_behind_do_not_end_the_search(seeded_home: Home) -> None:
    found = search(seeded_home, trials=7, sampler="grid", epochs=6, space=HOPELESS)
    frame = trials_of(seeded_home, found.search)
    of_rate = {
        one["finetune.learning_rate"]: status
        for one, status in zip(frame["parameters"], frame["status"], strict=True)
    }
    assert of_rate[1e30] == "failed"
    assert found.trials == {
        status: list(of_rate.values()).count(status) for status in ("done", "pruned", "failed")
    }
    assert sum(found.trials.values()) == len(of_rate) == 7
    assert found.settings["finetune.learning_rate"] >= 3e-3
    failed = frame[frame["status"] == "failed"]
    assert failed["message"].str.contains("not a number").all()
    again = search(seeded_home, trials=9, sampler="grid", epochs=6, space=HOPELESS)
    assert again.trials == found.trials  # the whole grid had been tried


def test_a_search_that_was_stopped_goes_on_with_what_it_has(seeded_home: Home) -> None:
    def stop(point: dict[str, Any]) -> None:
        if point["phase"] == "trial 3 of 4: fine-tuning":
            raise Cancelled

    with pytest.raises(Cancelled):
        search(seeded_home, trials=4, sampler="random", told=stop)
    with seeded_home.engine.connect() as con:
        (name,) = trainings.searches(con, "small")
    before = trials_of(seeded_home, name)
    assert before["status"].tolist() == ["done", "done", "cancelled"]
    found = search(seeded_home, trials=4, sampler="random")
    after = trials_of(seeded_home, name)
    assert found.search == name
    assert found.trials == {"done": 4, "pruned": 0, "failed": 0}
    assert after["id"].tolist()[:3] == before["id"].tolist()
    rates = [one["finetune.learning_rate"] for one in after["parameters"]]
    assert len(set(rates)) == 5  # the seed did not begin again with the same settings


def test_a_killed_search_keeps_its_finished_trials(seeded_home: Home) -> None:
    asked = ["--trials", "3", "--sampler", "random", "--epochs", "2", "--json"]
    command = [sys.executable, "-m", "core", "tune", "small", *asked]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    before = pd.DataFrame(columns=["status"])
    while before["status"].tolist() != ["done", "running"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
        with seeded_home.engine.connect() as con:
            names = trainings.searches(con, "small")
        before = trials_of(seeded_home, names[0]) if names else before
    process.kill()
    process.wait()
    found = tune(seeded_home, "small", trials=3, sampler="random", epochs=2)
    after = trials_of(seeded_home, found.search)
    assert after["id"].tolist()[:2] == before["id"].tolist()
    assert after["status"].tolist() == ["done", "crashed", "done", "done"]
    assert found.trials == {"done": 3, "pruned": 0, "failed": 0}


def test_other_labels_make_another_search(seeded_home: Home) -> None:
    first = search(seeded_home, trials=1)
    with seeded_home.engine.begin() as con:
        con.execute(delete(labels).where(labels.c.key == "u001"))
    assert search(seeded_home, trials=1).search != first.search


def test_the_declared_space_names_settings_that_there_are() -> None:
    for setting in SPACE:
        for value in setting.values:
            config = changed(TrainConfig(), {setting.path: value})
            part, _, name = setting.path.partition(".")
            assert getattr(getattr(config, part), name) == value


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"trials": 0}, "at least one trial; 0 were asked for"),
        ({"sampler": "magic"}, "no sampler 'magic'. Samplers: tpe, random, grid"),
        ({"space": (*SMALL, Setting("finetune.learning_rate", (1e30,)))}, "None of the 3 trials"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    seeded_home: Home, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        search(seeded_home, **asked)


def test_without_labels_there_is_nothing_to_search_by(seeded_home: Home) -> None:
    with seeded_home.engine.begin() as con:
        con.execute(delete(labels))
    with pytest.raises(BadInput, match="no verdicts or labels"):
        search(seeded_home)


def test_a_search_is_a_job(seeded_home: Home) -> None:
    asked = {"dataset": "small", "trials": 1, "sampler": "random", "seed": 3, "epochs": 1}
    with seeded_home.engine.begin() as con:
        job_id = jobs.enqueue(con, "tune", asked, "eva")
    run_worker(seeded_home, idle=0)
    with seeded_home.engine.connect() as con:
        job = jobs.get(con, job_id)
        assert job.status == "done", job.message
        assert job.result is not None
        assert models.get(con, job.result["model"]).status == "candidate"
    frame = trials_of(seeded_home, job.result["search"])
    assert frame["analyst"].tolist() == ["eva"]
