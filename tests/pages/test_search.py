from contextlib import suppress

import pytest
from optuna import TrialPruned
from sqlalchemy import delete

from core.errors import BadInput
from core.govern.tracking import tracked
from core.store import jobs
from core.store.tables import labels

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_worker_here")]


def trial(home, number, rate, ap, error=None):
    """A trial as a search tracks it, without the training."""

    def told(point):
        if error is not None:
            raise error

    point = {
        "phase": "fine-tuning", "epoch": 1, "loss": 0.5, "progress": 1.0,
        "validation_ap": ap, "validation_loss": 0.4,
    }  # fmt: skip
    settings = {"seed": 0, "finetune": {"learning_rate": rate}}
    given = {"analyst": "eva", "told": told, "search": "small-tpe-0", "trial": number}
    with suppress(BadInput, TrialPruned), tracked(home, "small", settings, **given) as one:
        one.point(point)


def test_the_trials_of_a_search_are_drawn_and_the_best_is_named(open_page, seeded_home):
    trial(seeded_home, 0, 1e-3, 0.6)
    trial(seeded_home, 1, 2e-3, 0.9)
    trial(seeded_home, 2, 3e-3, 0.2, TrialPruned())
    trial(seeded_home, 3, 1e30, 0.1, BadInput("The loss is not a number."))
    app = open_page("train", dataset="small")
    assert not app.exception
    said = "\n".join(block.value for block in app.markdown)
    assert "4 trials: 2 finished, 1 given up early, 1 failed." in said
    assert "Best: trial 1, validation average precision 0.900" in said
    assert "fine-tuning learning rate 0.002" in said
    assert len(app.get("plotly_chart")) == 3  # two of the search, and the trainings overlaid
    compared = next(one for one in app.multiselect if one.label == "Compare")
    assert len(compared.options) == 2  # a trial is no training of its own


def test_a_search_is_asked_for_as_a_job(open_page, seeded_home):
    app = open_page("train", dataset="small")
    app.number_input(key="search-seed").set_value(3)
    next(one for one in app.button if one.label == "Search").click().run()
    assert not app.exception
    with seeded_home.engine.connect() as con:
        job = jobs.newest(con).iloc[0]
    assert (job["kind"], job["arguments"]) == (
        "tune", {"dataset": "small", "trials": 20, "sampler": "tpe", "seed": 3},
    )  # fmt: skip


def test_without_labels_a_search_is_not_offered(open_page, seeded_home):
    with seeded_home.engine.begin() as con:
        con.execute(delete(labels))
    app = open_page("train", dataset="small")
    assert next(one for one in app.button if one.label == "Search").disabled


def test_a_search_that_failed_says_why(open_page, seeded_home):
    with seeded_home.engine.begin() as con:
        job = jobs.enqueue(con, "tune", {"dataset": "small", "trials": 3}, "eva")
        jobs.claim(con, "worker")
        jobs.finish(con, job, "worker", "failed", "None of the 3 trials could be trained.")
    assert "None of the 3 trials" in open_page("train", dataset="small").error[0].value


def test_what_a_search_made_can_be_compared_and_promoted(open_page, seeded_home):
    with seeded_home.engine.begin() as con:
        job = jobs.enqueue(con, "tune", {"dataset": "small", "trials": 3}, "eva")
        jobs.claim(con, "worker")
        jobs.finish(con, job, "worker", "done", "done", {"search": "s", "model": "pretrained"})
    app = open_page("train", dataset="small")
    assert any("made **pretrained**" in block.value for block in app.markdown)
    app.button(key="promote-found").click().run()
    assert not app.exception
    assert app.title[0].value == "Models"
