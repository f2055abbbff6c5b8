"""Runs: one model's scores of one data set; the scores themselves are a Parquet file."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from core.errors import NotFound
from core.store import models
from core.store.home import as_dict
from core.store.tables import runs


@dataclass(frozen=True)
class Run:
    """One scoring run."""

    id: str
    model_id: str
    dataset_id: str
    sequences: int
    seconds: float
    created_at: datetime


def add(con: Connection, run: Run) -> None:
    """Register `run`."""
    con.execute(insert(runs).values(**asdict(run)))


def get(con: Connection, run_id: str) -> Run:
    """Return one run."""
    row = con.execute(select(runs).where(runs.c.id == run_id)).first()
    if row is None:
        raise NotFound(f"There is no scoring run '{run_id}'.")
    return Run(**as_dict(row))


def deciding(con: Connection, dataset_id: str) -> Run | None:
    """Return the run whose scores fill the queue: the active model's last, else the last of any."""
    active = models.active(con)
    own = None if active is None else newest(con, dataset_id, active.id)
    return own or newest(con, dataset_id)


def scored(con: Connection) -> set[str]:
    """Return the ids of the data sets that have a run."""
    return set(con.execute(select(runs.c.dataset_id).distinct()).scalars())


def newest(con: Connection, dataset_id: str, model_id: str | None = None) -> Run | None:
    """Return the last run over a data set (by one model, if given)."""
    query = select(runs).where(runs.c.dataset_id == dataset_id)
    if model_id is not None:
        query = query.where(runs.c.model_id == model_id)
    row = con.execute(query.order_by(runs.c.created_at.desc()).limit(1)).first()
    return None if row is None else Run(**as_dict(row))
