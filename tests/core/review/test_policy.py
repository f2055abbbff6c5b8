import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.review.policy import (
    Workload,
    days_covered,
    promote,
    roll_back,
    set_threshold,
    workload,
)
from core.scoring import cases as scoring
from core.scoring.cases import actor_scores, renew_queue
from core.store import cases, models, runs
from core.store.home import now
from core.store.models import Model
from core.store.runs import Run
from tests.core.review.conftest import SCORES, SEQUENCES


def test_a_threshold_is_told_in_cases_and_cases_a_day(reviewed):
    by_actor = actor_scores(reviewed, "run")
    assert workload(by_actor, days_covered(SEQUENCES), 0.8) == Workload(2, 1.0)
    assert workload(by_actor, None, 0.8) == Workload(2, None)


def test_a_log_without_time_covers_no_days():
    assert days_covered(SEQUENCES.assign(first_ts=pd.NaT, last_ts=pd.NaT)) is None


@given(st.lists(st.floats(0, 1), min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_threshold_never_means_more_cases(scores, one, other):
    by_actor = pd.Series(scores)
    low, high = sorted((one, other))
    assert workload(by_actor, 1.0, low).cases >= workload(by_actor, 1.0, high).cases


def test_a_threshold_in_force_decides_what_is_in_the_queue(reviewed):
    set_threshold(reviewed, "m", 0.85, "eva")
    with reviewed.engine.connect() as con:
        queue = cases.queue(con, "log")
        assert models.threshold(con, "m") == pytest.approx(0.85)
    by_score = queue[queue["source"] == "score"]
    assert by_score["actor_id"].tolist() == ["ann"]
    assert by_score["flagged"].tolist() == [["s1"]]


def _candidate(home) -> None:
    """Register a candidate that has scored the log: only bob is suspicious to it."""
    scores = SCORES.assign(score=[0.1, 0.1, 0.9, 0.1])
    scores.to_parquet(home.run_file("second"))
    with home.engine.begin() as con:
        made = Model("new", "anomaly", "probability", "candidate", "log", "m", 0.5, {}, now())
        models.add(con, made)
        runs.add(con, Run("second", "new", "log", 4, 0.1, now()))


def _flagged(home) -> list[str]:
    with home.engine.connect() as con:
        queue = cases.queue(con, "log")
    return queue.loc[queue["source"] == "score", "actor_id"].tolist()


def test_the_active_model_fills_the_queue_whatever_scored_last(reviewed):
    _candidate(reviewed)
    with reviewed.engine.connect() as con:
        assert runs.deciding(con, "log").id == "run"


def test_a_run_that_no_longer_decides_does_not_take_the_queue_back(reviewed):
    with reviewed.engine.connect() as con:
        before = runs.get(con, "run")
    _candidate(reviewed)
    promote(reviewed, "new", "eva")
    assert renew_queue(reviewed, before) == 0
    assert _flagged(reviewed) == ["bob"]


def test_a_threshold_set_while_the_queue_is_filled_is_the_one_it_is_filled_by(
    reviewed, monkeypatch
):
    build = scoring.build_cases

    def while_somebody_decides(home, run, threshold):
        if threshold != 0.85:
            set_threshold(reviewed, "m", 0.85, "eva")
        return build(home, run, threshold)

    monkeypatch.setattr(scoring, "build_cases", while_somebody_decides)
    with reviewed.engine.connect() as con:
        run = runs.get(con, "run")
    renew_queue(reviewed, run)
    assert _flagged(reviewed) == ["ann"]


def test_promoting_fills_the_queue_from_the_scores_there_are_and_rolling_back_restores_it(
    reviewed,
):
    _candidate(reviewed)
    before = _flagged(reviewed)
    promote(reviewed, "new", "eva")
    assert _flagged(reviewed) == ["bob"]
    roll_back(reviewed, "eva")
    assert _flagged(reviewed) == before
