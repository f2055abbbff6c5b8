"""Jobs: long work done by a worker process. Each change of state is one statement."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Connection, and_, insert, select, update

from core.errors import Conflict, NotFound
from core.store.home import as_dict, now
from core.store.tables import jobs

LOST_AFTER = timedelta(seconds=60)  # without a heartbeat a running job is taken over
MAX_ATTEMPTS = 3


@dataclass(frozen=True)
class Job:
    """One piece of long work."""

    id: int
    kind: str
    arguments: dict[str, Any]
    status: str
    progress: float
    message: str
    curve: list[dict[str, Any]]
    result: dict[str, Any] | None
    analyst: str
    worker: str | None
    attempts: int
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    heartbeat_at: datetime | None
    finished_at: datetime | None


def enqueue(con: Connection, kind: str, arguments: dict[str, Any], analyst: str) -> int:
    """Ask for a piece of work and return its id."""
    values = {
        "kind": kind,
        "arguments": arguments,
        "analyst": analyst,
        "status": "queued",
        "progress": 0.0,
        "message": "waiting for a worker",
        "curve": [],
        "attempts": 0,
        "cancel_requested": False,
        "created_at": now(),
    }
    return int(con.execute(insert(jobs).values(values).returning(jobs.c.id)).scalar_one())


def claim(con: Connection, worker: str) -> Job | None:
    """Take the oldest waiting job, or one whose worker went silent; nobody else gets it."""
    lost = (jobs.c.status == "running") & (jobs.c.heartbeat_at < now() - LOST_AFTER)
    waiting = (jobs.c.status == "queued") | (lost & (jobs.c.attempts < MAX_ATTEMPTS))
    oldest = select(jobs.c.id).where(waiting).order_by(jobs.c.id).limit(1)
    if con.dialect.name == "postgresql":
        oldest = oldest.with_for_update(skip_locked=True)
    taken = (
        update(jobs)
        .where(jobs.c.id == oldest.scalar_subquery())
        .values(status="running", worker=worker, attempts=jobs.c.attempts + 1)
        .values(started_at=now(), heartbeat_at=now(), message="starting")
        .returning(*jobs.c)
    )
    row = con.execute(taken).first()
    return None if row is None else Job(**as_dict(row))


def give_up_lost(con: Connection) -> None:
    """Fail the jobs whose worker died `MAX_ATTEMPTS` times."""
    lost = (jobs.c.status == "running") & (jobs.c.heartbeat_at < now() - LOST_AFTER)
    message = f"The worker died {MAX_ATTEMPTS} times while doing this."
    con.execute(
        update(jobs)
        .where(lost & (jobs.c.attempts >= MAX_ATTEMPTS))
        .values(status="failed", message=message, finished_at=now())
    )


def heartbeat(
    con: Connection,
    job_id: int,
    worker: str | None,
    *,
    progress: float | None = None,
    message: str | None = None,
    curve: list[dict[str, Any]] | None = None,
) -> bool:
    """Report life and progress.

    Returns False once somebody asked to cancel, or when the job is no longer this worker's.
    """
    told = {"progress": progress, "message": message, "curve": curve}
    values = {name: value for name, value in told.items() if value is not None}
    beat = (
        update(jobs)
        .where(_held(job_id, worker))
        .values(heartbeat_at=now(), **values)
        .returning(jobs.c.cancel_requested)
    )
    return con.execute(beat).scalar() is False


def finish(
    con: Connection,
    job_id: int,
    worker: str | None,
    status: str,
    message: str,
    result: dict[str, Any] | None = None,
) -> bool:
    """End a job as done, failed or cancelled; returns False when it is no longer this worker's."""
    values = {"status": status, "message": message, "result": result, "finished_at": now()}
    progress = 1.0 if status == "done" else jobs.c.progress
    end = update(jobs).where(_held(job_id, worker)).values(progress=progress, **values)
    return con.execute(end.returning(jobs.c.id)).first() is not None


def cancel(con: Connection, job_id: int) -> None:
    """Ask a job to stop: a waiting one ends at once, a running one at its next heartbeat.

    Raises
    ------
    Conflict
        If the job has ended.
    """
    job = get(con, job_id)
    if job.status not in ("queued", "running"):
        raise Conflict(f"Job {job_id} is {job.status} already.")
    waiting = (jobs.c.id == job_id) & (jobs.c.status == "queued")
    ended = {"status": "cancelled", "message": "cancelled", "finished_at": now()}
    con.execute(update(jobs).where(jobs.c.id == job_id).values(cancel_requested=True))
    con.execute(update(jobs).where(waiting).values(ended))


def get(con: Connection, job_id: int) -> Job:
    """Return one job."""
    row = con.execute(select(jobs).where(jobs.c.id == job_id)).first()
    if row is None:
        raise NotFound(f"There is no job {job_id}.")
    return Job(**as_dict(row))


def newest(con: Connection, kind: str | None = None, *, limit: int = 50) -> pd.DataFrame:
    """Return the last jobs (of one kind), newest first."""
    query = select(jobs)
    if kind is not None:
        query = query.where(jobs.c.kind == kind)
    return pd.read_sql(query.order_by(jobs.c.id.desc()).limit(limit), con)


def unfinished(con: Connection) -> pd.DataFrame:
    """Return the jobs waiting or running, oldest first."""
    query = select(jobs).where(jobs.c.status.in_(("queued", "running")))
    return pd.read_sql(query.order_by(jobs.c.id), con)


def neglected(unfinished: pd.DataFrame) -> bool:
    """Say whether jobs wait or seem to run, and for `LOST_AFTER` nobody gave a sign of life."""
    signs: Any = unfinished[["created_at", "heartbeat_at"]].max(axis=None)
    return not unfinished.empty and bool(signs < now() - LOST_AFTER)


def _held(job_id: int, worker: str | None) -> ColumnElement[bool]:
    # A worker that was suspended may wake up after another one took its job over.
    return and_(jobs.c.id == job_id, jobs.c.worker == worker, jobs.c.status == "running")
