import pytest
from sqlalchemy import delete, update

from core.govern.log import read_log
from core.review.deciding import decide
from core.runners import SETTINGS
from core.store import cases, jobs, models
from core.store.tables import labels
from core.store.tables import models as models_table

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_worker_here")]


def _press(app, label):
    return next(button for button in app.button if button.label == label).click().run()


def _without_labels(home):
    with home.engine.begin() as con:
        con.execute(delete(labels))


def test_training_asks_for_a_candidate_as_a_job(open_page, seeded_home):
    app = open_page("train")
    assert [metric.value for metric in app.metric] == ["20", "40", "0", "60"]
    _press(app, "Train a candidate")
    with seeded_home.engine.connect() as con:
        job = jobs.newest(con).iloc[0]
    assert job["kind"] == "train"
    assert job["arguments"] == {"dataset": "small", "parent": "finetuned", "seed": 0}


def test_a_page_can_ask_for_adversarial_training(open_page, seeded_home):
    app = open_page("train")
    app.checkbox[0].check()
    _press(app, "Train a candidate")
    with seeded_home.engine.connect() as con:
        assert jobs.newest(con).iloc[0]["arguments"]["adversarial"] is True
    assert "adversarial" in SETTINGS  # the worker takes it


def test_the_page_counts_what_a_training_would_count(open_page, seeded_home):
    """A verdict on an actor with a label counts once; what contradicts it is left out."""
    with seeded_home.engine.connect() as con:
        first = cases.queue(con).iloc[0]
    decide(seeded_home, int(first["id"]), "legitimate", analyst="eva")
    units = read_log(seeded_home, "small").bags
    app = open_page("train")
    counts = [str((units.label == 1).sum()), str((units.label == 0).sum())]
    assert [metric.value for metric in app.metric][:2] == counts == ["19", "41"]
    assert any("1 labels were left out" in caption.value for caption in app.caption)


def test_training_is_refused_below_five_of_a_class(open_page, seeded_home):
    _without_labels(seeded_home)
    with seeded_home.engine.connect() as con:
        case_ids = cases.queue(con)["id"].tolist()
    for case_id in case_ids[:4]:
        decide(seeded_home, case_id, "confirmed", analyst="eva")
    app = open_page("train")
    assert "at least 5 of each class" in app.warning[0].value
    assert next(b for b in app.button if b.label == "Train a candidate").disabled


def test_without_verdicts_and_labels_training_only_pre_trains(open_page, seeded_home):
    _without_labels(seeded_home)
    app = open_page("train")
    assert "pre-training" in app.info[0].value
    _press(app, "Pre-train on this log")
    with seeded_home.engine.connect() as con:
        assert jobs.newest(con).iloc[0]["arguments"] == {"dataset": "small", "seed": 0}


def test_a_running_training_shows_progress_and_its_curve(open_page, seeded_home):
    with seeded_home.engine.begin() as con:
        job = jobs.enqueue(con, "train", {"dataset": "small"}, "eva")
        jobs.claim(con, "worker")
        curve = [{"phase": "pre-training", "epoch": 1, "loss": 2.5, "progress": 0.4}]
        jobs.heartbeat(con, job, "worker", progress=0.4, message="pre-training", curve=curve)
    app = open_page("train")
    assert "pre-training" in app.get("progress")[0].proto.text
    assert app.get("plotly_chart")
    _press(app, "Stop")
    with seeded_home.engine.connect() as con:
        assert jobs.get(con, job).cancel_requested


def test_a_failed_training_says_why(open_page, seeded_home):
    with seeded_home.engine.begin() as con:
        job = jobs.enqueue(con, "train", {"dataset": "small"}, "eva")
        jobs.claim(con, "worker")
        jobs.finish(con, job, "worker", "failed", "A class has one label only.")
    assert "A class has one label only" in open_page("train").error[0].value


def test_promoting_and_rolling_back_change_which_model_decides(open_page, seeded_home):
    app = open_page("models", analyst="eva")
    assert not any("Roll back" in button.label for button in app.button)  # to what?
    _press(app, "Promote")
    with seeded_home.engine.connect() as con:
        assert models.active(con).id == "pretrained"
    _press(app, "Roll back to the one before")
    with seeded_home.engine.connect() as con:
        assert models.active(con).id == "finetuned"


def test_the_card_of_a_model_can_be_read(open_page):
    app = open_page("models", model="pretrained")
    assert any("unusual" in block.value for block in app.markdown)


def test_a_model_is_shown_beside_every_baseline(open_page, seeded_home):
    with seeded_home.engine.begin() as con:  # the page shows what enough held-out units say
        row = models.get(con, "finetuned").metrics
        row["test"] |= {"positives": 9, "negatives": 9}
        con.execute(
            update(models_table).where(models_table.c.id == "pretrained").values(metrics=row)
        )
    app = open_page("models", model="pretrained")
    assert not app.exception
    named = ["Beside simpler methods", "Curves", "Calibration", "Kinds of abuse"]
    assert [tab.label for tab in app.tabs] == named
    said = "\n".join(block.value for block in [*app.markdown, *app.caption])
    assert "random forest on facts" in said
    assert "sequences of abuse reach the threshold" in said
    app.session_state["metric"] = "brier_score"
    assert not app.run().exception


def test_robustness_is_offered_for_logs_of_which_something_is_known(open_page, seeded_home):
    _without_labels(seeded_home)
    app = open_page("models", model="pretrained")
    assert "Measure robustness" not in [button.label for button in app.button]
    assert any("takes a log with labels or verdicts" in one.value for one in app.caption)
    with seeded_home.engine.connect() as con:
        case = cases.get(con, cases.next_open(con, "small", skipping=[]))
    decide(seeded_home, case.id, "legitimate", analyst="eva")
    app = open_page("models", model="pretrained")
    assert "Measure robustness" in [button.label for button in app.button]


def test_robustness_is_asked_for_as_a_job_and_shown_in_words(open_page, seeded_home):
    from core.govern.robustness import measure_robustness

    app = open_page("models", model="pretrained")
    _press(app, "Measure robustness")
    with seeded_home.engine.connect() as con:
        job = jobs.newest(con).iloc[0]
    assert job["kind"] == "robustness"
    assert job["arguments"] == {"model": "pretrained", "dataset": "small"}
    report = measure_robustness(seeded_home, "pretrained", "small")
    app = open_page("models", model="pretrained")
    assert not app.exception
    said = "\n".join(block.value for block in app.markdown)
    assert report["summary"][0].split(":")[0].split("(")[0] in said.replace("\\", "")
    assert len(app.get("plotly_chart")) >= 2
