"""What a case shows of its score: when it tipped, through which event, and which facts of it."""

import re

import pytest

from core.store import cases
from tests.pages.conftest import settled

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_worker_here")]


def _first(home):
    with home.engine.connect() as con:
        return cases.get(con, int(cases.queue(con, "small")["id"].iloc[0]))


@pytest.fixture
def app(open_page, seeded_home):
    return open_page("case", case=str(_first(seeded_home).id))


def test_the_case_says_at_which_event_the_score_reached_the_threshold(app, seeded_home):
    said = [one.value for one in app.caption if "threshold" in one.value]
    assert len(said) == 1
    assert re.match(
        r"The score first reaches the threshold at event \d+ of \d+|Only the last", said[0]
    )


def test_a_chosen_event_says_through_which_facts_it_moved_the_score(app, seeded_home):
    pick = app.selectbox(key=f"event-{_first(seeded_home).sequence_id}")
    assert pick.value is None
    app = pick.select_index(1).run()
    assert not app.exception
    words = next(one.value for one in app.markdown if one.value.startswith("**2. "))
    assert "after the one before" in words
    assert "It moved the score" in words


def test_the_score_is_taken_apart_by_event_and_by_fact(app):
    headings = [one.value for one in app.markdown]
    assert "**What counted, over all events**" in headings
    assert "**Which fact of which event**" in headings


def test_similar_cases_are_found_when_their_tab_is_opened_and_stand_beside_the_case(
    open_page, seeded_home
):
    case = _first(seeded_home)
    app = open_page("case", case=str(case.id))
    assert not any("most similar cases" in one.value for one in app.markdown)
    app.session_state[f"tabs-{case.id}"] = "Similar"
    app.run()
    assert any("most similar cases" in one.value for one in app.markdown)
    app.selectbox(key=f"beside-{case.id}-{case.sequence_id}").select_index(0).run()
    settled(app)
    assert not app.exception
    assert any("have an equal one, in the same order" in one.value for one in app.markdown)
