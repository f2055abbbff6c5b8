"""Trainings: what every training was asked, how it went and what came of it, also if nothing did.

A training holds a lock while its process lives, so one that was killed is told from one that runs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout
from sqlalchemy import Connection, insert, select, update

from core.errors import NotFound
from core.store.home import Home, as_dict, now
from core.store.tables import trainings


@dataclass(frozen=True)
class Training:
    """One training; a trial of a search is one too."""

    id: str
    dataset_id: str | None
    parameters: dict[str, Any]  # "finetune.learning_rate" -> value
    analyst: str
    created_at: datetime
    search: str | None = None
    trial: int | None = None
    model_id: str | None = None
    status: str = "running"
    message: str = ""
    curve: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    finished_at: datetime | None = None


def start(con: Connection, training: Training) -> None:
    """Write down that a training has begun."""
    con.execute(insert(trainings).values(**asdict(training)))


def draw(con: Connection, training_id: str, curve: list[dict[str, Any]]) -> None:
    """Keep the points of the curve so far."""
    con.execute(update(trainings).where(trainings.c.id == training_id).values(curve=curve))


def finish(
    con: Connection,
    training_id: str,
    status: str,
    *,
    message: str = "",
    metrics: dict[str, float] | None = None,
    model_id: str | None = None,
) -> None:
    """Write down how a training ended."""
    ended = {"status": status, "message": message, "finished_at": now()}
    found = {"metrics": metrics or {}, "model_id": model_id}
    con.execute(update(trainings).where(trainings.c.id == training_id).values(**ended, **found))


def get(con: Connection, training_id: str) -> Training:
    """Return one training."""
    row = con.execute(select(trainings).where(trainings.c.id == training_id)).first()
    if row is None:
        raise NotFound(f"There is no training '{training_id}'.")
    return Training(**as_dict(row))


def of_dataset(con: Connection, dataset_id: str) -> pd.DataFrame:
    """Return the trainings of a data set that are no trials of a search, newest first."""
    query = select(trainings).where(trainings.c.dataset_id == dataset_id)
    alone = query.where(trainings.c.search.is_(None))
    return pd.read_sql(alone.order_by(trainings.c.created_at.desc()), con)


def searches(con: Connection, dataset_id: str) -> list[str]:
    """Return the names of a data set's searches, the one that tried something last first."""
    query = (
        select(trainings.c.search)
        .where(trainings.c.dataset_id == dataset_id, trainings.c.search.is_not(None))
        .order_by(trainings.c.created_at.desc())
    )
    return list(dict.fromkeys(con.execute(query).scalars()))


def trials(con: Connection, search: str) -> pd.DataFrame:
    """Return the trials of a search in their order."""
    query = select(trainings).where(trainings.c.search == search)
    return pd.read_sql(query.order_by(trainings.c.trial), con)


@contextmanager
def alive(home: Home, training_id: str) -> Iterator[None]:
    """Hold a training's sign of life."""
    lock = _lock(home, training_id)
    with lock:
        yield
    lock_file = home.training_dir(training_id) / LOCK
    lock_file.unlink(missing_ok=True)


def find_crashed(home: Home) -> None:
    """Mark as crashed the trainings that run no more but never said how they ended."""
    running = select(trainings.c.id).where(trainings.c.status == "running")
    with home.engine.connect() as con:
        ids = con.execute(running).scalars().all()
    for training_id in ids:
        try:
            with _lock(home, training_id).acquire(blocking=False), home.engine.begin() as con:
                # It may have ended well since it was seen running.
                still = (trainings.c.id == training_id) & (trainings.c.status == "running")
                lost = {"status": "crashed", "message": CRASHED, "finished_at": now()}
                con.execute(update(trainings).where(still).values(**lost))
        except Timeout:
            continue


CRASHED = "The process was killed or crashed while it trained."
LOCK = "running.lock"


def _lock(home: Home, training_id: str) -> FileLock:
    folder = home.training_dir(training_id)
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / LOCK)
