"""A run: one model's scores of every sequence of a data set, and the queue that follows."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from sqlalchemy.exc import IntegrityError

from core.errors import Conflict, NotFound
from core.scoring.cases import renew_queue
from core.scoring.engine import Scorer
from core.scoring.partitions import Progress, Spread, in_this_process, join, score_partitions
from core.scoring.resident import Priority
from core.store import datasets, runs
from core.store.home import Home, now, remove
from core.store.runs import Run


def score_dataset(
    home: Home,
    scorer: Scorer,
    dataset_id: str,
    *,
    progress: Progress = lambda share, message: None,
    spread: Spread = in_this_process,
) -> Run:
    """Score every sequence and write the run's file.

    The run renews the queue of open cases, unless it is a candidate's and the active model has
    scored this data set: nothing changes for the analysts until the candidate is promoted.
    Events are read one partition at a time, so memory does not grow with the log. A run that was
    killed goes on from the last partition scored; what the model has scored before is not scored
    again.

    Parameters
    ----------
    spread
        Where partitions are scored: by default here, see also `core.scoring.cluster`.

    Raises
    ------
    BadInput
        If the model knows too few of the log's tokens, a partition is damaged, or the disk is full.
    Conflict
        If the same model is scoring the data set already, or the data set has grown meanwhile. What
        was scored is kept for the next run.
    NotFound
        If the data set is not there, or no longer when its scores are.
    """
    started = time.perf_counter()
    with home.engine.connect() as con:
        dataset = datasets.get(con, dataset_id)
    run_id = f"{scorer.model_id}-{uuid.uuid4().hex[:8]}"
    folder = home.scoring_dir(scorer.model_id, dataset_id)
    with _alone(folder):
        parts = score_partitions(
            home, scorer.at(Priority.RUN), dataset_id, folder, progress, spread
        )
        join(parts, home.run_file(run_id))
        seconds = time.perf_counter() - started
        sequences = pq.read_metadata(home.run_file(run_id)).num_rows
        run = Run(run_id, scorer.model_id, dataset_id, sequences, seconds, now())
        with _file_only_with_run(home, run), home.engine.begin() as con:
            runs.add(con, run)
            if datasets.get(con, dataset_id) != dataset:
                raise Conflict(f"The data set '{dataset_id}' has grown meanwhile: score it again.")
        remove(folder)
    renew_queue(home, run)
    return run


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep a second process from scoring the same into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise Conflict("This model is scoring this data set already; wait for its end.") from error
    try:
        yield
    finally:
        lock.release()
        if not list(folder.glob("part-*")):  # nothing to go on from
            remove(folder)


@contextmanager
def _file_only_with_run(home: Home, run: Run) -> Iterator[None]:
    """Delete the run's file if the run cannot be registered: nobody would ever read it."""
    try:
        yield
    except IntegrityError as error:
        remove(home.run_file(run.id))
        raise NotFound(
            f"The data set '{run.dataset_id}' or the model '{run.model_id}' was deleted while "
            "it was being scored."
        ) from error
    except BaseException:
        remove(home.run_file(run.id))
        raise
