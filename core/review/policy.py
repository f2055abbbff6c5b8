"""Where the line is drawn: what a threshold means in cases, and putting one in force."""

from dataclasses import dataclass

import pandas as pd

from core.schema import Column
from core.scoring.cases import renew_queue
from core.store import datasets, models, runs
from core.store.home import Home
from core.store.models import Model


@dataclass(frozen=True)
class Workload:
    """What a threshold asks of the analysts."""

    cases: int  # actors at or above it
    per_day: float | None  # None when the log has no time


def days_covered(sequences: pd.DataFrame) -> float | None:
    """Return the length of the log in days, at least an hour; None without times."""
    span = sequences[Column.LAST].max() - sequences[Column.FIRST].min()
    return None if pd.isna(span) else max(span / pd.Timedelta(days=1), 1 / 24)


def workload(by_actor: pd.Series, days: float | None, threshold: float) -> Workload:
    """Return the cases `threshold` makes, in all and per day of the log."""
    number = int((by_actor >= threshold).sum())
    return Workload(number, None if days is None else number / days)


def set_threshold(home: Home, model_id: str, threshold: float, analyst: str) -> None:
    """Put a threshold of a model in force and renew the queues that its scores fill."""
    with home.engine.begin() as con:
        models.set_threshold(con, model_id, threshold, analyst)
        deciding = [runs.deciding(con, known) for known in datasets.all_datasets(con)["id"]]
    for run in deciding:
        if run is not None and run.model_id == model_id:
            renew_queue(home, run)


def promote(home: Home, model_id: str, analyst: str) -> Model:
    """Let a model decide, and fill the queues from the scores it has given already."""
    with home.engine.begin() as con:
        model = models.promote(con, model_id, analyst)
    _renew_queues(home, model)
    return model


def roll_back(home: Home, analyst: str) -> Model:
    """Give the decision back to the model before, and fill the queues from its scores."""
    with home.engine.begin() as con:
        model = models.rollback(con, analyst)
    _renew_queues(home, model)
    return model


def _renew_queues(home: Home, model: Model) -> None:
    with home.engine.connect() as con:
        known = datasets.all_datasets(con)["id"]
        found = [runs.newest(con, dataset_id, model.id) for dataset_id in known]
    for run in found:
        if run is not None:
            renew_queue(home, run)
