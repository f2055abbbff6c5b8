"""Whether explanations help: every figure counted by hand, on decisions made up for it."""

import numpy as np
import pandas as pd
import pytest

from core.errors import NotFound
from core.review.benefit import FEWEST, LABEL, VERDICT, assess, benefit
from core.review.blind import give_impression, switch
from core.review.deciding import decide, undo
from core.store import cases, labels
from core.store.home import Home

A, X, U = "confirmed", "legitimate", "unclear"


def staged(*rows: tuple[object, ...]) -> pd.DataFrame:
    """Make decisions: at the events, with the score, with the explanation; truth, known by, own."""
    columns = ["events", "score", "explanation", "truth", "known_by", "own"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(
        seconds_events=[float(10 + 2 * row) for row in range(len(frame))],
        seconds_score=5.0,
        seconds_explanation=np.nan,
        truth=frame["truth"].astype(float),
        own=frame["own"].astype(bool),
    )


def ordinary(seconds: list[float], decision: str = A, truth: float = 1) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "explanation": decision,
            "seconds_explanation": seconds,
            "truth": truth,
            "known_by": LABEL,
            "own": True,
        },
        index=range(len(seconds)),
    )


FOUR = staged(
    (X, A, A, 1, LABEL, False),
    (U, X, A, 0, LABEL, False),
    (A, A, A, 1, LABEL, False),
    (X, X, None, 1, VERDICT, True),
    (U, A, A, 1, VERDICT, True),
    (A, None, None, None, "", False),
)


def counts(found: dict[str, object]) -> list[object]:
    return [found[name] for name in ("cases", "right", "wrong", "unclear")]


def test_every_stage_says_how_right_and_how_fast_it_was():
    found = assess(FOUR, ordinary([4.0, 8.0, 6.0]))
    assert (found["cases"], found["through_all_stages"]) == (6, 4)
    events, score, explanation = found["stages"]
    assert [one["decisions"] for one in found["stages"]] == [6, 5, 4]
    assert counts(events["by_label"]) == [3, 1, 1, 1]
    assert counts(score["by_label"]) == [3, 3, 0, 0]
    assert counts(explanation["by_label"]) == [3, 2, 1, 0]
    assert events["by_label"]["value"] == pytest.approx(1 / 3)
    assert events["seconds"]["value"] == 15.0
    assert explanation["seconds"] == {"cases": 0, "value": None, "low": None, "high": None}
    assert found["ordinary"]["seconds"]["value"] == 6.0
    assert counts(found["ordinary"]["by_label"]) == [3, 3, 0, 0]


def test_an_analysts_own_verdict_does_not_judge_the_decision_that_it_is():
    events, score, explanation = assess(FOUR, ordinary([]))["stages"]
    assert counts(events["by_verdict"]) == [2, 0, 1, 1]
    assert counts(score["by_verdict"]) == [2, 1, 1, 0]
    assert counts(explanation["by_verdict"]) == [0, 0, 0, 0]
    assert explanation["by_verdict"]["value"] is None


def test_a_change_of_mind_is_towards_right_or_wrong():
    first, second, whole = assess(FOUR, ordinary([]))["changes"]
    assert (first["from"], first["to"], first["cases"], first["changed"]) == (
        "events",
        "score",
        5,
        3,
    )
    assert first["by_label"] == {"cases": 3, "towards_right": 2, "towards_wrong": 0}
    assert first["by_verdict"] == {"cases": 2, "towards_right": 1, "towards_wrong": 0}
    assert (second["cases"], second["changed"]) == (4, 1)
    assert second["by_label"] == {"cases": 3, "towards_right": 0, "towards_wrong": 1}
    assert second["by_verdict"]["cases"] == 0
    assert whole["by_label"] == {"cases": 3, "towards_right": 1, "towards_wrong": 1}


def many(*, helped: int, harmed: int, same: int) -> pd.DataFrame:
    rows = [(U, X, A, 1, LABEL, False)] * helped + [(U, A, X, 1, LABEL, False)] * harmed
    return staged(*rows, *[(A, A, A, 1, LABEL, False)] * same)


QUICK, SLOW = [5.0 + 0.1 * n for n in range(40)], [200.0 + n for n in range(40)]


@pytest.mark.parametrize(
    ("decisions", "seconds", "said"),
    [
        (many(helped=20, harmed=1, same=19), QUICK, ["make decisions better", "are faster"]),
        (many(helped=20, harmed=1, same=19), SLOW, ["make decisions better", "are slower"]),
        (many(helped=1, harmed=20, same=19), QUICK, ["make decisions worse", "are faster"]),
        (many(helped=2, harmed=2, same=36), QUICK, ["make decisions only faster", "not shown"]),
        (many(helped=2, harmed=2, same=36), SLOW, ["not shown to make", "are slower"]),
        (many(helped=0, harmed=0, same=40), [49.0] * 40, ["not shown to make", "is not shown"]),
        (many(helped=20, harmed=1, same=19), QUICK[:9], ["decisions better", "too few to tell"]),
        (many(helped=FEWEST - 1, harmed=0, same=0), QUICK, ["There are too few cases", "29 with"]),
        (many(helped=0, harmed=0, same=0), [], ["There are too few cases", "too few to tell"]),
    ],
    ids=["both", "better", "worse", "faster", "slower", "neither", "untimed", "few", "none"],
)
def test_the_conclusion_says_better_faster_both_neither_or_too_few(decisions, seconds, said):
    conclusion = assess(decisions, ordinary(seconds))["conclusion"]
    assert all(part in conclusion for part in said), conclusion


def test_cases_known_only_by_their_verdict_do_not_make_explanations_better():
    frame = many(helped=40, harmed=0, same=0).assign(known_by=VERDICT, own=True)
    assert "too few cases" in assess(frame, ordinary(QUICK))["conclusion"]


@pytest.fixture
def labelled(reviewed: Home) -> Home:
    """The queue of ann, bob and =cy, shown blind; of ann and bob it is known what they are."""
    switch(reviewed, "log", True, "lea")
    known = pd.DataFrame({"key": ["ann", "bob"], "label": [True, False], "split": None})
    with reviewed.engine.begin() as con:
        labels.replace_labels(con, "log", "actor", known.assign(scheme=None))
    return reviewed


def _ids(home: Home) -> list[int]:
    with home.engine.connect() as con:
        known = pd.concat([cases.queue(con, "log", decided=decided) for decided in (True, False)])
    return [
        int(known.loc[known["actor_id"] == name, "id"].item()) for name in ("ann", "bob", "=cy")
    ]


def test_the_report_reads_what_the_queue_kept(labelled):
    ann, bob, cy = _ids(labelled)
    give_impression(labelled, ann, "events", U, analyst="eva", seconds=20)
    give_impression(labelled, ann, "score", A, analyst="eva", seconds=4)
    decide(labelled, ann, A, analyst="eva", seconds=6)
    give_impression(labelled, cy, "events", X, analyst="eva", seconds=30)
    decide(labelled, cy, A, analyst="max")
    decide(labelled, bob, A, analyst="max", seconds=8)
    found = benefit(labelled, "log")
    events, score, explanation = found["stages"]
    assert (found["dataset"], found["blind"], found["taken_back"]) == ("log", True, 0)
    assert (found["cases"], found["through_all_stages"]) == (2, 1)
    assert counts(events["by_label"]) == [1, 0, 0, 1]
    assert counts(score["by_label"]) == counts(explanation["by_label"]) == [1, 1, 0, 0]
    assert counts(events["by_verdict"]) == [1, 0, 1, 0]  # max says what =cy is, not eva
    assert events["seconds"]["value"] == 25
    assert found["ordinary"]["decisions"] == 2
    assert counts(found["ordinary"]["by_label"]) == [1, 0, 1, 0]
    assert found["ordinary"]["seconds"]["value"] == 8
    assert found["conclusion"].startswith("There are too few cases")


def test_who_took_an_impression_back_had_seen_more_so_it_does_not_count(labelled):
    ann, _, _ = _ids(labelled)
    give_impression(labelled, ann, "events", X, analyst="eva", seconds=20)
    undo(labelled, "eva")
    give_impression(labelled, ann, "events", A, analyst="eva", seconds=2)
    decide(labelled, ann, A, analyst="eva", seconds=6)
    found = benefit(labelled, "log")
    assert (found["taken_back"], found["cases"], found["ordinary"]["decisions"]) == (1, 0, 0)


def test_a_verdict_that_was_taken_back_and_given_again_counts_once(labelled):
    ann, _, _ = _ids(labelled)
    give_impression(labelled, ann, "events", X, analyst="eva")
    give_impression(labelled, ann, "score", X, analyst="eva")
    decide(labelled, ann, X, analyst="eva", seconds=5)
    undo(labelled, "eva")
    decide(labelled, ann, A, analyst="eva", seconds=7)
    found = benefit(labelled, "log")
    assert (found["taken_back"], found["cases"]) == (0, 1)
    assert counts(found["stages"][2]["by_label"]) == [1, 1, 0, 0]
    assert found["stages"][2]["seconds"]["value"] == 7


def test_where_nothing_was_reviewed_the_report_says_so(reviewed):
    found = benefit(reviewed, "log")
    assert (found["blind"], found["cases"], found["ordinary"]["decisions"]) == (False, 0, 0)
    assert found["conclusion"].startswith("There are too few cases")
    with pytest.raises(NotFound):
        benefit(reviewed, "other")
