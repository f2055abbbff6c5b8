import re

import pandas as pd
import pytest
import streamlit as st

from core.logs.frames import read_events
from core.review.deciding import decide
from core.store import cases, verdicts
from tests.conftest import add_event
from tests.pages.conftest import settled

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_worker_here")]


def _ids(home, *, decided=False):
    with home.engine.connect() as con:
        return cases.queue(con, decided=decided)["id"].tolist()


def _stored(home):
    with home.engine.connect() as con:
        return verdicts.of_dataset(con, "small")


def _button(app, name):
    return next(button for button in app.button if name in button.key.split("-"))


def test_the_explanation_adds_up_to_the_score(open_page):
    words = next(m.value for m in open_page("case").markdown if m.value.startswith("Base value"))
    base, whole, events, together, score = map(float, re.findall(r"\*\*([-+.\d]+)\*\*", words))
    assert base + whole + events == pytest.approx(score, abs=2e-4)
    assert together == score


def test_a_verdict_is_stored_under_the_analysts_name_and_the_next_case_opens(
    open_page, seeded_home
):
    first, second = _ids(seeded_home)[:2]
    app = open_page("case", case=str(first))
    app.text_input(key="analyst").input("eva")
    app.selectbox(key=f"scheme-{first}").select("fake_orders")
    app.text_area(key=f"note-{first}").input("one item, seconds apart")
    app.segmented_control(key=f"sure-{first}").set_value("fairly")
    _button(app, "confirmed").click().run()
    assert not app.exception
    stored = _stored(seeded_home).iloc[0]
    assert stored[["case_id", "analyst", "decision", "scheme", "note", "confidence"]].tolist() == [
        first,
        "eva",
        "confirmed",
        "fake_orders",
        "one item, seconds apart",
        0.7,
    ]
    assert app.query_params["case"] == str(second)


def test_from_a_case_that_left_the_queue_one_goes_on_to_the_next(open_page, seeded_home):
    app = open_page("case", case="4711")
    assert "it may have left the queue" in app.error[0].value
    app.button[0].click().run()
    assert not app.error
    assert app.query_params["case"] == str(_ids(seeded_home)[0])


def test_what_lowers_the_trust_stands_beside_the_score(open_page, seeded_home):
    first = _ids(seeded_home)[0]
    assert not [c for c in open_page("case", case=str(first)).caption if "care" in c.value]
    file = seeded_home.dataset_dir("small") / "sequences.parquet"
    pd.read_parquet(file).assign(repeated_events=3, was_cut=True).to_parquet(file)
    st.cache_data.clear()
    (said,) = [c.value for c in open_page("case", case=str(first)).caption if "care" in c.value]
    assert "3 of " in said
    assert "equal an earlier one in every column; it is one part of a longer sequence" in said


def test_undo_takes_the_verdict_back_and_shows_its_case(open_page, seeded_home):
    first = _ids(seeded_home)[0]
    app = open_page("case", case=str(first))
    _button(app, "legitimate").click().run()
    _button(app, "undo").click().run()
    assert _stored(seeded_home).empty
    assert app.query_params["case"] == str(first)


@pytest.mark.parametrize("name", ["confirmed", "skip", "undo"])
def test_a_button_of_a_case_no_longer_shown_does_nothing(open_page, seeded_home, name):
    """Streamlit keeps the buttons of earlier cases, and their keys, until a run has ended."""
    first, second, third = _ids(seeded_home)[:3]
    decide(seeded_home, third, "legitimate", analyst="analyst")
    app = open_page("case", case=str(first))
    app.session_state["sitting"].go(second)  # as a key has it that the page has not answered yet
    _button(app, name).click().run()
    assert _stored(seeded_home)["case_id"].tolist() == [third]
    assert app.query_params["case"] == str(second)
    assert "skipped" not in app.query_params


def test_skipped_cases_do_not_come_next(open_page, seeded_home):
    first, second, third = _ids(seeded_home)[:3]
    app = open_page("case", case=str(first))
    _button(app, "skip").click().run()
    assert app.query_params["case"] == str(second)
    _button(app, "unclear").click().run()
    assert app.query_params["case"] == str(third)


def test_a_case_opened_without_its_number_can_be_skipped_and_decided(open_page, seeded_home):
    first, second, third = _ids(seeded_home)[:3]
    app = open_page("case")
    assert app.query_params["case"] == str(first)
    _button(app, "skip").click().run()
    assert app.query_params["case"] == str(second)
    _button(app, "confirmed").click().run()
    assert app.query_params["case"] == str(third)
    _button(app, "undo").click().run()
    assert app.query_params["case"] == str(second)


def test_a_decided_case_cannot_be_decided_again(open_page, seeded_home):
    first = _ids(seeded_home)[0]
    _button(open_page("case", case=str(first)), "confirmed").click().run()
    app = open_page("case", case=str(first))
    assert app.info[0].value.startswith("**Confirmed abuse**, analyst")
    assert _button(app, "legitimate").disabled


def test_after_the_last_case_the_page_says_so(open_page, seeded_home):
    app = open_page("case")
    for _ in _ids(seeded_home):
        _button(app, "unclear").click().run()
    assert app.success[0].value.startswith("No case waits")
    assert len(_ids(seeded_home, decided=True)) == len(_stored(seeded_home))


def test_a_case_whose_log_has_grown_opens_with_every_event_explained(open_page, seeded_home):
    with seeded_home.engine.connect() as con:
        case = cases.get(con, _ids(seeded_home)[0])
    app = open_page("case", case=str(case.id))  # explained, and scored after each event
    add_event(seeded_home, case.dataset_id, case.actor_id)
    settled(app.run())
    assert not app.exception
    events = len(read_events(seeded_home, case.dataset_id, sequences=[case.sequence_id]))
    words = next(m.value for m in app.markdown if m.value.startswith("Base value"))
    assert f"{events} events" in words
    tipping = [c.value for c in app.caption if "threshold" in c.value]
    assert tipping


def test_a_case_whose_sequence_is_cut_differently_now_says_so(open_page, seeded_home):
    with seeded_home.engine.connect() as con:
        case = cases.get(con, _ids(seeded_home)[0])
    file = seeded_home.dataset_dir(case.dataset_id) / "sequences.parquet"
    there = pd.read_parquet(file)
    there[there["actor_id"] != case.actor_id].to_parquet(file, index=False)
    st.cache_data.clear()
    app = open_page("case", case=str(case.id))
    assert not app.exception
    (said,) = [one.value for one in app.warning]
    assert said.startswith("This sequence is cut differently since the log has grown")
    assert _button(app, "confirmed")
