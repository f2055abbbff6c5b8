import pytest

from core.explain.naming import METHOD_WORDS
from core.store import jobs
from core.worker import run_worker

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("seeded_home")]


def ask(app, cases: int):
    app.number_input(key="cases").set_value(cases).run()
    return next(one for one in app.button if one.label == "Compare the explanations").click().run()


def test_a_comparison_is_a_job_of_the_model_in_force(open_page, no_worker_here, seeded_home):
    app = open_page("faithfulness")
    assert "Not compared yet" in app.info[0].value
    app = ask(app, 6)
    assert not app.exception
    with seeded_home.engine.connect() as con:
        job = jobs.unfinished(con).iloc[0]
    assert job["kind"] == "faithfulness"
    assert job["arguments"] == {"model": "finetuned", "dataset": "small", "cases": 6}
    assert app.query_params["job"] == str(job["id"])
    assert "Stop" in [button.label for button in app.button]


def test_the_result_says_which_to_trust_and_a_link_shows_the_same(open_page, seeded_home):
    asked = {"model": "finetuned", "dataset": "small", "cases": 5}
    with seeded_home.engine.begin() as con:
        first, _ = (jobs.enqueue(con, "faithfulness", asked | {"cases": n}, "ann") for n in (5, 6))
    run_worker(seeded_home, idle=0)
    app = open_page("faithfulness")
    assert not app.exception
    assert any("Trust" in one.value for one in app.markdown)
    assert any("6 flagged cases" in one.value for one in app.caption)
    table, agreement = (one.value for one in app.dataframe)
    assert (agreement.to_numpy() == agreement.to_numpy().T).all()
    assert set(table["method"]) == set(METHOD_WORDS.values())
    assert table["method"].iloc[-1] == METHOD_WORDS["random"]
    linked = open_page("faithfulness", job=str(first))
    assert any("5 flagged cases" in one.value for one in linked.caption)


def test_a_comparison_that_was_refused_says_why(open_page, seeded_home):
    asked = {"model": "finetuned", "dataset": "small", "cases": 99}
    with seeded_home.engine.begin() as con:
        job_id = jobs.enqueue(con, "faithfulness", asked, "ann")
    run_worker(seeded_home, idle=0)
    app = open_page("faithfulness", job=str(job_id))
    assert "accepted are 1 to 50" in app.error[0].value
