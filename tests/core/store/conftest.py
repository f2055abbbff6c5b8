"""A queue as scoring would fill it, without a log and without a model that could score."""

from collections.abc import Mapping

import pandas as pd
from sqlalchemy import Connection

from core.store import datasets, models, runs
from core.store.datasets import Dataset
from core.store.home import now
from core.store.models import Model
from core.store.runs import Run


def add_runs(con: Connection, *run_ids: str) -> None:
    """Register a data set, a model that is active, and runs of it."""
    datasets.add(con, Dataset("log", "log", "log.csv", {}, {}, 9, 9, 0, 0, 3, 3, now()))
    models.add(con, Model("m", "anomaly", "probability", "active", "log", None, 0.5, {}, now()))
    for run_id in run_ids:
        runs.add(con, Run(run_id, "m", "log", 3, 0.1, now()))


def case_rows(
    run_id: str, scores: Mapping[str, float], sequences: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Return a flagged case for each actor; without `sequences`, these are named like it."""
    rows = []
    for actor, score in scores.items():
        sequence_id = f"{actor}-{run_id}" if sequences is None else sequences[actor]
        rows.append(
            {
                "dataset_id": "log",
                "actor_id": actor,
                "run_id": run_id,
                "sequence_id": sequence_id,
                "flagged": [sequence_id],
                "score": score,
                "events": 3,
                "amount": None,
                "last_ts": None,
                "source": "score",
                "propensity": 1.0,
                "created_at": now(),
            }
        )
    return pd.DataFrame(rows)
