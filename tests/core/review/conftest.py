from pathlib import Path

import pandas as pd
import pytest

from core.scoring.cases import build_cases
from core.store import cases, datasets, models, runs
from core.store.datasets import Dataset
from core.store.home import Home, now, open_home
from core.store.models import Model
from core.store.runs import Run

SCORES = pd.DataFrame(
    [("s1", "ann", 0.9), ("s2", "ann", 0.7), ("s3", "bob", 0.8), ("s4", "=cy", 0.6)],
    columns=["sequence_id", "actor_id", "score"],
)
SEQUENCES = SCORES[["sequence_id", "actor_id"]].assign(
    first_ts=pd.Timestamp("2026-01-01", tz="UTC"),
    last_ts=pd.Timestamp("2026-01-03", tz="UTC"),
    events=3,
    amount=1.0,
    session_id=None,
    partition=0,
)


@pytest.fixture
def reviewed(tmp_path: Path) -> Home:
    """A home with one log, one model, its scores and a queue of ann, bob and =cy."""
    home = open_home(tmp_path)
    folder = home.dataset_dir("log")
    folder.mkdir(parents=True)
    SEQUENCES.assign(
        first_ts=SEQUENCES["first_ts"].dt.tz_localize(None),
        last_ts=SEQUENCES["last_ts"].dt.tz_localize(None),
    ).to_parquet(folder / "sequences.parquet")
    run_file = home.run_file("run")
    run_file.parent.mkdir()
    SCORES.to_parquet(run_file)
    run = Run("run", "m", "log", 4, 0.1, now())
    frame = build_cases(home, run, 0.5)
    with home.engine.begin() as con:
        datasets.add(con, Dataset("log", "log", "log.csv", {}, {}, 12, 12, 0, 0, 3, 4, now()))
        models.add(
            con, Model("m", "anomaly", "probability", "candidate", "log", None, 0.5, {}, now())
        )
        models.promote(con, "m", "analyst")
        runs.add(con, run)
        cases.replace_open(con, "log", frame)
    return home
