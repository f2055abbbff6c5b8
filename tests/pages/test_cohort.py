import pandas as pd
import pytest

from core.explain.cohort import explain_cohort
from core.review.deciding import decide
from core.scoring.engine import Scorer
from core.store import cases, jobs

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_worker_here")]


def test_cases_not_explained_yet_are_explained_by_a_job(open_page, seeded_home):
    with seeded_home.engine.connect() as con:
        waiting = len(cases.queue(con, "small"))
    app = open_page("cohort")
    assert not app.exception
    assert any(f"0 of {waiting} cases" in one.value for one in app.caption)
    next(one for one in app.button if "Explain the other" in one.label).click().run()
    with seeded_home.engine.connect() as con:
        job = jobs.unfinished(con).iloc[0]
    assert job["kind"] == "explain"
    assert job["arguments"] == {"model": "finetuned", "dataset": "small", "by": "waiting"}


def test_what_the_model_leans_on_is_shown_and_a_log_without_categories_says_so(
    open_page, seeded_home
):
    scorer = Scorer.load(seeded_home.model_dir("finetuned"))
    explain_cohort(seeded_home, scorer, "small")
    app = open_page("cohort")
    assert not app.exception
    (table,) = [one.value for one in app.dataframe]
    assert table["moved"].is_monotonic_decreasing
    assert any("no column of categories" in one.value for one in app.info)


def test_without_verdicts_there_are_no_schemes_to_compare(open_page):
    app = open_page("cohort")
    next(one for one in app.selectbox if one.label == "Cases, grouped by").select("scheme").run()
    assert any("No case is decided with a scheme yet" in one.value for one in app.info)


def test_a_decided_case_whose_sequence_is_gone_is_left_out(seeded_home):
    """A log that has grown may be cut differently since."""
    with seeded_home.engine.connect() as con:
        first, second = cases.queue(con, "small").head(2).to_dict("records")
    for case in (first, second):
        decide(seeded_home, int(case["id"]), "confirmed", analyst="eva")
    file = seeded_home.dataset_dir("small") / "sequences.parquet"
    there = pd.read_parquet(file)
    there[there["sequence_id"] != first["sequence_id"]].to_parquet(file, index=False)
    scorer = Scorer.load(seeded_home.model_dir("finetuned"))
    (group,) = explain_cohort(seeded_home, scorer, "small", "decision")["groups"]
    assert (group["group"], group["cases"], group["explained"]) == ("confirmed", 1, 1)
