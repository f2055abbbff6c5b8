from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from core.scoring.cases import build_cases
from core.store.home import now, open_home
from core.store.runs import Run


def _scores() -> pd.DataFrame:
    rows = [("s1", "ann", 0.2), ("s2", "ann", 0.9), ("s3", "bob", 0.1), ("s4", "cy", 0.8)]
    rows += [("s5", "cy", 0.85), ("s6", "cy", 0.3)]
    return pd.DataFrame(rows, columns=["sequence_id", "actor_id", "score"])


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., pd.DataFrame]:
    """Return what makes cases of these scores."""
    home = open_home(tmp_path)
    scores = _scores()
    last = pd.date_range("2026-01-01", periods=len(scores), freq="D")
    sequences = scores[["sequence_id", "actor_id"]].assign(events=2, amount=1.5, last_ts=last)
    for file, frame in (
        (home.dataset_dir("log") / "sequences.parquet", sequences),
        (home.run_file("run"), scores),
    ):
        file.parent.mkdir(parents=True)
        frame.to_parquet(file)
    run = Run("run", "m", "log", len(scores), 0.1, now())
    return lambda threshold, share=0.0: build_cases(home, run, threshold, random_share=share)


def test_a_case_is_an_actor_with_its_highest_score_and_its_flagged_sequences(build):
    cases = build(0.5)
    columns = ["actor_id", "sequence_id", "score", "flagged", "events", "amount", "source"]
    assert cases[columns].to_dict("records") == [
        {
            "actor_id": "ann",
            "sequence_id": "s2",
            "score": 0.9,
            "flagged": ["s2"],
            "events": 4,
            "amount": 3.0,
            "source": "score",
        },
        {
            "actor_id": "cy",
            "sequence_id": "s5",
            "score": 0.85,
            "flagged": ["s5", "s4"],
            "events": 6,
            "amount": 4.5,
            "source": "score",
        },
    ]
    assert cases["last_ts"].dt.tz is None
    assert set(cases["propensity"]) == {1.0}


def test_a_random_slice_of_the_rest_carries_the_probability_of_being_drawn(build):
    cases = build(0.87, share=0.5)
    drawn = cases[cases["source"] == "random"]
    assert len(drawn) == 1
    assert drawn["propensity"].tolist() == [0.5]
    assert drawn["flagged"].tolist() == [[]]
    assert drawn["actor_id"].item() in ("bob", "cy")


def test_a_score_equal_to_the_threshold_is_a_case(build):
    assert build(0.9)["actor_id"].tolist() == ["ann"]


@pytest.mark.parametrize("low", [0.0, 0.2, 0.5, 0.85])
def test_a_higher_threshold_never_makes_more_cases(build, low):
    assert len(build(low)) >= len(build(low + 0.1))


def test_every_actor_above_the_threshold_leaves_nobody_to_draw(build):
    assert set(build(0.0, share=0.5)["source"]) == {"score"}
