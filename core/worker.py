"""The worker: a process of its own that does the long work, one job at a time."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout
from sqlalchemy.exc import SQLAlchemyError

from core.errors import Cancelled, Conflict, SpoorError
from core.runners import RUNNERS, Reporter
from core.store import jobs
from core.store.home import Home, remove, sweep
from core.store.jobs import Job

POLL: Final = 0.5  # seconds between looks at an empty queue
BEAT: Final = 5.0  # seconds between signs of life
IDLE: Final = 900.0  # seconds without work after which a worker started by a page ends
NICENESS: Final = 10  # so that a click in the page never waits for a batch
ROOT: Final = Path(__file__).parent.parent


def run_worker(home: Home, *, idle: float | None = None) -> int:
    """Do jobs until nothing has waited for `idle` seconds (None: for ever); returns how many.

    Raises
    ------
    Conflict
        If a worker of this home is running already.
    """
    name = f"{socket.gethostname()}:{os.getpid()}"
    with _only_worker(home):
        _sweep(home)
        done, since = 0, time.monotonic()
        while True:
            job = _claim(home, name)
            if job is not None:
                run_job(home, job)
                _sweep(home)
                done, since = done + 1, time.monotonic()
            elif idle is not None and time.monotonic() - since >= idle:
                return done
            else:
                time.sleep(POLL)


def run_job(home: Home, job: Job) -> None:
    """Do one claimed job and write down how it ended."""
    with _signs_of_life(home, job):
        status, message, result = _outcome(home, job)
    with home.engine.begin() as con:
        ours = jobs.finish(con, job.id, job.worker, status, message, result)
    if ours and job.kind == "import" and status == "done":  # else it can be tried again
        _drop_upload(home, Path(job.arguments["path"]))


def ensure_worker(home: Home) -> None:
    """Start a worker in the background unless one is running; returns at once."""
    lock = _lock(home)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return
    lock.release()
    with (home.path / "worker.log").open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-m", "core", "worker", "--home", str(home.path), "--idle", str(IDLE)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _sweep(home: Home) -> None:
    with home.engine.connect() as con:
        arguments = jobs.unfinished(con)["arguments"]
    sweep(home, [Path(given["path"]) for given in arguments if "path" in given])


def _outcome(home: Home, job: Job) -> tuple[str, str, dict[str, Any] | None]:
    try:
        return "done", "done", RUNNERS[job.kind](home, job, Reporter(home, job))
    except Cancelled:
        return "cancelled", "cancelled", None
    except SpoorError as error:
        return "failed", str(error), None
    except Exception as error:  # a worker outlives a broken job; the log keeps the whole story
        sys.excepthook(type(error), error, error.__traceback__)
        return "failed", f"Unexpected {type(error).__name__}: {error} (see worker.log)", None


def _drop_upload(home: Home, log: Path) -> None:
    """Delete what a browser sent, with its folder; a log from elsewhere is not ours."""
    folder = log.resolve().parent
    if folder.parent == home.uploads.resolve():
        remove(folder)


def _claim(home: Home, name: str) -> Job | None:
    with home.engine.begin() as con:
        jobs.give_up_lost(con)
        return jobs.claim(con, name)


def _lock(home: Home) -> FileLock:
    return FileLock(home.path / "worker.lock")


@contextmanager
def _only_worker(home: Home) -> Iterator[None]:
    lock = _lock(home)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise Conflict(f"A worker of {home.path} is running already.") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _signs_of_life(home: Home, job: Job) -> Iterator[None]:
    """Beat in the background: one step of a job can take longer than a silence may last."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT):
            # A database that is busy for once must not make the job look dead for ever.
            with suppress(SQLAlchemyError), home.engine.begin() as con:
                jobs.heartbeat(con, job.id, job.worker)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
