"""Events first, then the score, then why: what the pages show at each stage, and what they keep."""

import time

import pytest

from core.review.benefit import benefit
from core.review.blind import switch
from core.store import cases, impressions, models, queues, verdicts
from tests.pages.conftest import settled

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_worker_here")]

DATASET = "small"
SWITCH = f"blind-{DATASET}"


@pytest.fixture
def blind_home(seeded_home):
    with seeded_home.engine.begin() as con:
        con.exec_driver_sql("UPDATE cases SET likely_scheme = 'coupon_abuse', likely_share = 0.724")
    switch(seeded_home, DATASET, True, "lea")
    return seeded_home


def _first(home):
    with home.engine.connect() as con:
        return cases.get(con, cases.next_open(con, DATASET, skipping=[]))


def _given(home):
    with home.engine.connect() as con:
        kept = impressions.of_dataset(con, DATASET)
    return kept[kept["undone_at"].isna()]


def _press(app, name):
    next(button for button in app.button if name in button.key.split("-")).click().run()
    assert not app.exception
    return app


def _everything(app):
    """Return all that the page sends to the browser, tables and figures too."""
    said = []
    for element in app.main:
        proto = element.proto
        said.append(str(proto))
        if element.type == "arrow_data_frame":
            said.append(element.value.to_csv())
    said += [toast.value for toast in app.toast]
    return "\n".join(said)


def _telling(home, case):
    """Return what would tell the score: the numbers, and the words around them."""
    with home.engine.connect() as con:
        threshold = models.threshold(con, "finetuned")
    numbers = [f"{number:.{digits}f}" for number in (case.score, threshold) for digits in (3, 4)]
    words = ["probability", "unusualness", "threshold", "most like", "coupon abuse", "highest"]
    words += ["towards abuse", "moved the score", "base value", "scored by", "finetuned"]
    return [*numbers, *words]


def test_at_first_nothing_on_the_page_tells_the_score(open_page, blind_home):
    case = _first(blind_home)
    telling = _telling(blind_home, case)
    app = open_page("case", case=str(case.id))
    assert app.query_params["case"] == str(case.id)
    shown = _everything(app).lower()
    assert case.actor_id in shown
    assert [word for word in telling if word in shown] == []
    assert [button.label for button in app.button][:3] == [
        "Confirmed abuse",
        "Legitimate",
        "Unclear",
    ]
    assert list(app.dataframe[0].value.columns)[:4] == ["@event", "ts", "@after", "action"]
    with blind_home.engine.begin() as con:
        queues.set_blind(con, DATASET, False, "lea")
    shown = _everything(open_page("case", case=str(case.id))).lower()  # the net has no holes
    missing = [word for word in telling if word not in shown]
    assert set(missing) <= {"unusualness", "highest", f"{telling[3]}"}


def test_the_same_keys_lead_through_the_stages_to_the_verdict(open_page, blind_home):
    case = _first(blind_home)
    app = open_page("case", case=str(case.id))
    app.text_input(key="analyst").input("eva").run()
    _press(app, "unclear")
    assert app.query_params["case"] == str(case.id)
    shown = _everything(app).lower()
    assert f"{case.score:.3f}" in shown
    assert "threshold" in shown
    hidden = ("most like", "towards abuse", "moved the score", "base value", "coupon abuse")
    assert [word for word in hidden if word in shown] == []
    _press(app, "legitimate")
    assert app.query_params["case"] == str(case.id)
    shown = _everything(settled(app)).lower()
    assert all(word in shown for word in hidden)
    _press(app, "confirmed")
    assert app.query_params["case"] == str(_first(blind_home).id) != str(case.id)
    kept = _given(blind_home)
    assert kept[["case_id", "analyst", "stage", "decision"]].to_numpy().tolist() == [
        [case.id, "eva", "events", "unclear"],
        [case.id, "eva", "score", "legitimate"],
        [case.id, "eva", "explanation", "confirmed"],
    ]
    assert (kept["seconds"] > 0).all()
    with blind_home.engine.connect() as con:
        assert verdicts.of_dataset(con, DATASET)["decision"].tolist() == ["confirmed"]
    assert "first impression" in _everything(app)  # of the next case


def test_the_seconds_are_those_of_the_stage(open_page, blind_home):
    app = open_page("case", case=str(_first(blind_home).id))
    time.sleep(1.2)
    _press(app, "unclear")
    _press(app, "unclear")
    first, second = _given(blind_home)["seconds"]
    assert first >= 1.2
    assert second < 1.2


def test_undo_takes_one_stage_back_at_a_time(open_page, blind_home):
    case = _first(blind_home)
    app = open_page("case", case=str(case.id))
    _press(_press(_press(app, "unclear"), "unclear"), "legitimate")
    assert app.query_params["case"] != str(case.id)
    for stages in (["events", "score"], ["events"], []):
        _press(app, "undo")
        assert app.query_params["case"] == str(case.id)
        assert _given(blind_home)["stage"].tolist() == stages
    assert f"{case.score:.3f}" not in _everything(app)
    with blind_home.engine.connect() as con:
        assert verdicts.of_dataset(con, DATASET).empty


def test_skip_leaves_a_case_for_later_where_it_is(open_page, blind_home):
    case = _first(blind_home)
    app = _press(open_page("case", case=str(case.id)), "unclear")
    _press(app, "skip")
    assert app.query_params["case"] != str(case.id)
    app = open_page("case", case=str(case.id))
    assert "And with the score?" in _everything(app)


def test_switched_off_in_the_middle_of_a_case_nothing_is_lost(open_page, blind_home):
    case = _first(blind_home)
    app = _press(open_page("case", case=str(case.id)), "unclear")
    queue = open_page("queue", dataset=DATASET)
    queue.toggle(key=SWITCH).set_value(False).run()
    app = _press(app, "legitimate")  # a page that was opened before
    assert _given(blind_home)["stage"].tolist() == ["events", "score"]
    assert "Your decision" in _everything(app)
    _press(app, "confirmed")
    assert _given(blind_home)["stage"].tolist() == ["events", "score", "explanation"]
    assert benefit(blind_home, DATASET)["through_all_stages"] == 1


def test_another_analyst_begins_with_the_events(open_page, blind_home):
    case = _first(blind_home)
    app = _press(open_page("case", case=str(case.id)), "unclear")
    app.text_input(key="analyst").input("max").run()
    assert "Your first impression" in _everything(app)


def test_a_decided_case_shows_everything(open_page, blind_home):
    case = _first(blind_home)
    _press(_press(_press(open_page("case", case=str(case.id)), "unclear"), "unclear"), "unclear")
    assert "towards abuse" in _everything(open_page("case", case=str(case.id)))


def test_the_table_of_a_blind_queue_tells_neither_score_nor_order(open_page, blind_home):
    app = open_page("queue", dataset=DATASET)
    shown = app.dataframe[0].value
    assert set(shown.columns) <= {"actor_id", "amount", "events", "last_ts", "queued"}
    with blind_home.engine.connect() as con:
        queue = cases.queue(con, DATASET)
    assert shown["actor_id"].tolist() == queue["actor_id"].tolist()
    assert not queue["score"].is_monotonic_decreasing
    said = "\n".join(caption.value for caption in app.caption)
    assert "in an order of chance" in said
    assert "highest first" not in said
    app.toggle(key=SWITCH).set_value(False).run()
    assert app.dataframe[0].value["score"].is_monotonic_decreasing
    assert set(app.dataframe[0].value["likely"]) == {"coupon abuse (72 %)"}


def test_the_switch_is_in_force_for_everybody(open_page, seeded_home):
    open_page("queue", dataset=DATASET).toggle(key=SWITCH).set_value(True).run()
    assert open_page("queue", dataset=DATASET).toggle(key=SWITCH).value is True
    assert "Your first impression" in _everything(open_page("case"))


def test_the_report_tells_what_it_knows_and_that_it_is_too_little(open_page, blind_home):
    app = open_page("case")
    _press(_press(_press(app, "unclear"), "confirmed"), "confirmed")
    app = open_page("queue", dataset=DATASET)
    assert not [one for one in app.markdown if "too few cases" in one.value]
    app.session_state["benefit"] = True
    app.run()
    assert not app.exception
    (said,) = [one.value for one in app.markdown if "too few cases" in one.value]
    assert "1 with a label" in said
    table = app.dataframe[1].value
    assert table["decisions"].tolist() == [1, 1, 1, 0]
    assert table["shown"].tolist()[0] == "the events alone"


def test_home_tells_of_impressions(open_page, blind_home):
    _press(open_page("case"), "unclear")
    lately = "\n".join(caption.value for caption in open_page("home").caption)
    assert "had a look at case" in lately
    assert "**lea** put the events first in the queue of small" in lately


def test_scores_are_not_exported_while_events_come_first(open_page, blind_home):
    def offered():
        return {
            button.proto.id.split("-")[-2] for button in open_page("queue").get("download_button")
        }

    assert offered() == {"verdicts"}
    switch(blind_home, DATASET, False, "lea")
    assert offered() == {"verdicts", "scores"}
