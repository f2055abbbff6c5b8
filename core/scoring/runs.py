"""A run: one model's scores of every sequence of a data set, and the queue that follows."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from core.errors import NotFound
from core.logs.frames import actions, partitions, read_events, read_mapping, read_sequences
from core.schema import Column
from core.scoring.cases import renew_queue
from core.scoring.engine import Scorer
from core.store import models, runs
from core.store.home import Home, now, remove, writing
from core.store.runs import Run
from core.tokens import check_known

Progress = Callable[[float, str], None]


def score_dataset(
    home: Home,
    scorer: Scorer,
    dataset_id: str,
    *,
    progress: Progress = lambda share, message: None,
) -> Run:
    """Score every sequence and write the run's file.

    The run renews the queue of open cases, unless it is a candidate's and the active model has
    scored this data set: nothing changes for the analysts until the candidate is promoted.
    Events are read one partition at a time, so memory does not grow with the log.

    Raises
    ------
    BadInput
        If the model knows too few of the log's tokens.
    NotFound
        If the data set is not there, or no longer when its scores are.
    """
    started = time.perf_counter()
    sequences = read_sequences(home, dataset_id)
    scores = _score_partitions(home, scorer, dataset_id, sequences, progress)
    run_id = f"{scorer.model_id}-{uuid.uuid4().hex[:8]}"
    with writing(home.run_file(run_id)) as file:
        scores.to_parquet(file, index=False)
    seconds = time.perf_counter() - started
    run = Run(run_id, scorer.model_id, dataset_id, len(sequences), seconds, now())
    with _file_only_with_run(home, run), home.engine.begin() as con:
        runs.add(con, run)
        decides = _decides(con, run)
    if decides:
        renew_queue(home, run)
    return run


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


def _decides(con: Connection, run: Run) -> bool:
    """Say whether a run fills the queue; a candidate's only where the active model has none."""
    active = models.active(con)
    if active is None or active.id == run.model_id:
        return True
    return runs.newest(con, run.dataset_id, active.id) is None


def _score_partitions(
    home: Home, scorer: Scorer, dataset_id: str, sequences: pd.DataFrame, progress: Progress
) -> pd.DataFrame:
    tokenizer = scorer.encoder.tokenizer
    _check_known(home, scorer, dataset_id, sequences)
    parts = []
    done = 0
    for partition in range(partitions(home, dataset_id)):
        part = sequences[sequences[Column.PARTITION] == partition]
        if part.empty:
            continue
        events = read_events(home, dataset_id, partition=partition)
        before, size = done, len(part)

        def told(share: float, before: int = before, size: int = size) -> None:
            scored = before + share * size
            progress(scored / len(sequences), f"scored {scored:,.0f} of {len(sequences):,}")

        score, kinds = scorer.predict_kinds(tokenizer.encode(events, part), progress=told)
        scored = part[[Column.SEQUENCE, Column.ACTOR]].assign(score=score)
        if scorer.kinds:
            likely = np.array(scorer.kinds)[kinds.argmax(axis=1)]
            scored[Column.LIKELY_SCHEME], scored[Column.LIKELY_SHARE] = likely, kinds.max(axis=1)
        parts.append(scored)
        done += size
    return pd.concat(parts, ignore_index=True)


def _check_known(home: Home, scorer: Scorer, dataset_id: str, sequences: pd.DataFrame) -> None:
    """Refuse the log before the first score, judging by its largest partition."""
    sizes = sequences.groupby(Column.PARTITION)[Column.EVENTS].sum()
    largest = int(sizes.index.to_numpy()[sizes.argmax()])
    events = read_events(home, dataset_id, partition=largest)
    mapping, names = read_mapping(home, dataset_id), actions(home, dataset_id)
    check_known(scorer.encoder.tokenizer, mapping, names, events, scorer.model_id)
