import shutil
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete

from core.store import cases, datasets, models
from core.store.tables import labels

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_worker_here")]


def test_the_highest_score_is_on_top(open_page, seeded_home):
    shown = open_page("queue").dataframe[0].value
    assert shown["score"].is_monotonic_decreasing
    with seeded_home.engine.connect() as con:
        assert shown["actor_id"].tolist() == cases.queue(con)["actor_id"].tolist()


@pytest.mark.parametrize(
    ("page", "opens_on"),
    [("queue", "scored"), ("cohort", "scored"), ("faithfulness", "scored"), ("train", "newest")],
)
def test_a_page_about_scores_opens_on_a_log_that_has_some(open_page, seeded_home, page, opens_on):
    with seeded_home.engine.begin() as con:
        (name,) = datasets.all_datasets(con)["id"]
        scored = datasets.get(con, name)
        later = scored.created_at + timedelta(days=1)
        datasets.add(con, replace(scored, id="newest", name="newest", created_at=later))
    shutil.copytree(seeded_home.dataset_dir(name), seeded_home.dataset_dir("newest"))
    app = open_page(page)
    assert app.selectbox(key="dataset").value == {"scored": name, "newest": "newest"}[opens_on]


def test_moving_the_threshold_tells_what_it_means_before_it_counts(open_page, seeded_home):
    app = open_page("queue")
    with seeded_home.engine.connect() as con:
        before = models.threshold(con, "finetuned")
    app.slider[0].set_value(0.0).run()
    assert any(m.value.startswith("**60 cases** of 60 actors, about **") for m in app.markdown)
    with seeded_home.engine.connect() as con:
        assert models.threshold(con, "finetuned") == before


def test_a_threshold_in_force_renews_the_queue(open_page, seeded_home):
    app = open_page("queue")
    app.slider[0].set_value(0.0).run()
    next(button for button in app.button if button.label == "Put in force").click().run()
    with seeded_home.engine.connect() as con:
        assert models.threshold(con, "finetuned") == 0.0
        assert len(cases.queue(con)) == 60
    assert len(app.dataframe[0].value) == 60


def test_an_actor_is_found_by_a_part_of_the_id(open_page):
    app = open_page("queue")
    actor = app.dataframe[0].value["actor_id"][0]
    app.text_input(key="actor").set_value(actor.upper()).run()
    assert app.dataframe[0].value["actor_id"].tolist() == [actor]


def test_start_reviewing_opens_the_first_case(open_page, seeded_home):
    app = open_page("queue")
    with seeded_home.engine.connect() as con:
        first = cases.queue(con)["id"][0]
    next(button for button in app.button if button.label == "Start reviewing").click().run()
    assert app.query_params["case"] == str(first)


def test_cases_to_learn_from_join_the_queue_on_a_click(open_page, seeded_home):
    with seeded_home.engine.begin() as con:
        con.execute(delete(labels))
        before = cases.queue(con)
    app = open_page("queue")
    app.number_input[0].set_value(6)
    app.selectbox[1].set_value("margin")
    next(button for button in app.button if "learn most from" in button.label).click().run()
    assert [said.value for said in app.success] == ["6 cases joined the queue: 6 least sure of."]
    with seeded_home.engine.connect() as con:
        queue = cases.queue(con)
    assert queue["source"].tolist()[:6] == ["margin"] * 6
    assert len(queue) == len(before) + 6
    shown = app.dataframe[0].value["actor_id"].tolist()
    assert shown == queue["actor_id"].tolist()
    assert any("first the 6 to learn from" in caption.value for caption in app.caption)


def test_where_everybody_is_known_nobody_is_asked_for(open_page):
    app = open_page("queue")
    next(button for button in app.button if "learn most from" in button.label).click().run()
    assert "Everybody has been asked about already" in app.error[0].value


def test_a_case_is_shown_with_what_it_is_most_like(open_page, seeded_home):
    assert set(open_page("queue").dataframe[0].value["likely"]) == {""}
    with seeded_home.engine.begin() as con:
        con.exec_driver_sql("UPDATE cases SET likely_scheme = 'coupon_abuse', likely_share = 0.724")
        case = cases.queue(con)["id"].iloc[0]
    assert set(open_page("queue").dataframe[0].value["likely"]) == {"coupon abuse (72 %)"}
    captions = [caption.value for caption in open_page("case", case=str(case)).caption]
    assert "Most like: coupon abuse (72 %)" in captions
