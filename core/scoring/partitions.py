"""The scores of a data set, partition by partition: what a run computes.

Memory holds two partitions, one being read while the other is scored, and eight bytes and a score
for each sequence that was scored before.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from core.batch import Batch
from core.errors import BadInput
from core.logs.frames import actions, read_events, read_mapping, read_sequences
from core.schema import Column
from core.scoring.engine import Scorer
from core.scoring.known import Known, digests, fingerprint
from core.store.home import Home, writing
from core.tokens import check_known

Part = tuple[pd.DataFrame, Batch]  # sequences and their tokens
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Scoring:
    """All that the scores of a data set's partitions depend on."""

    home: Home
    scorer: Scorer
    dataset_id: str
    model: bytes  # its fingerprint
    known: Known

    def read(self, number: int) -> Part:
        """Return the sequences and tokens of a partition; BadInput if it is damaged."""
        sequences = read_sequences(self.home, self.dataset_id, partition=number)
        events = read_events(self.home, self.dataset_id, partition=number)
        return sequences, self.scorer.encoder.tokenizer.encode(events, sequences)

    def score(
        self, part: Part, progress: Callable[[float], None] = lambda share: None
    ) -> pd.DataFrame:
        """Return a partition's rows of the run's file; what is known is not computed again."""
        sequences, batch = part
        digest = digests(batch, sequences[Column.SEQUENCE], self.model)
        rows, missing = self.known.look_up(digest)
        if len(missing):
            computed = _judge(self.scorer, batch.take(missing), progress)
            rows = pd.concat([rows, computed.set_axis(missing)]) if len(rows) else computed
        return sequences[[Column.SEQUENCE, Column.ACTOR]].join(rows).assign(digest=digest)


class Clock:
    """Tells how much is done and how long the rest will take."""

    def __init__(self, total: int, progress: Progress) -> None:
        self.total, self.progress = total, progress
        self.done = 0
        self.started = time.monotonic()

    def restart(self) -> None:
        """Forget the time before the first sequence: it went into getting ready."""
        if not self.done:
            self.started = time.monotonic()

    def within(self, size: int) -> Callable[[float], None]:
        """Return what takes the share done of the next `size` sequences."""
        return lambda share: self._tell(self.done + share * size)

    def add(self, size: int) -> None:
        self.done += size
        self._tell(self.done)

    def _tell(self, done: float) -> None:
        rest = (time.monotonic() - self.started) * (self.total - done) / max(done, 1)
        left = f", {_minutes(rest)} left" if done < self.total else ""
        self.progress(done / self.total, f"scored {done:,.0f} of {self.total:,}{left}")


# Gives each of the partitions once, in any order, with its rows or what is wrong with its file.
Spread = Callable[[Scoring, list[int], Clock], Iterator[tuple[int, pd.DataFrame | BadInput]]]


def in_this_process(
    scoring: Scoring, numbers: list[int], clock: Clock
) -> Iterator[tuple[int, pd.DataFrame | BadInput]]:
    """Score one partition after the other, reading the next in a thread meanwhile."""
    for number, waiting in zip(numbers, _read_ahead(scoring, numbers), strict=True):
        try:
            part = waiting.result()
        except BadInput as error:
            yield number, error
        else:
            yield number, scoring.score(part, clock.within(len(part[1])))


def score_partitions(
    home: Home,
    scorer: Scorer,
    dataset_id: str,
    folder: Path,
    progress: Progress,
    spread: Spread = in_this_process,
) -> list[Path]:
    """Write the scores of each partition into a file of `folder`; returns the files in order.

    Raises
    ------
    BadInput
        If the model knows too few of the log's tokens; if a partition is damaged: the others are
        scored all the same, and a run after the repair only scores what is missing.
    """
    sizes = _check_known(home, scorer, dataset_id)
    known = Known.of(home, scorer.model_id, dataset_id, folder)
    model = fingerprint(home.model_dir(scorer.model_id))
    clock = Clock(int(sizes.sum()), progress)
    files, damaged = {}, {}
    scoring = Scoring(home, scorer, dataset_id, model, known)
    for number, found in spread(scoring, sizes.index.tolist(), clock):
        if isinstance(found, BadInput):
            damaged[number] = f"Partition {number}: {found}"
            continue
        files[number] = folder / f"part-{number:05}.parquet"
        with writing(files[number]) as ready:  # what a killed run left may be cut elsewhere
            found.to_parquet(ready, index=False)
        clock.add(len(found))
    if damaged:
        told = " ".join(damaged[number] for number in sorted(damaged))
        raise BadInput(f"{len(files)} of {len(sizes)} partitions were scored. {told}")
    return [files[number] for number in sizes.index]


def join(files: list[Path], target: Path) -> None:
    """Write the rows of all `files` into one."""
    with writing(target) as ready:
        schema = pq.read_schema(files[0])
        with pq.ParquetWriter(ready, schema) as writer:
            for file in files:
                writer.write_table(pq.read_table(file).cast(schema))


def _minutes(seconds: float) -> str:
    if seconds < 60:
        return "less than a minute"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} h"


def _read_ahead(scoring: Scoring, numbers: list[int]) -> Iterator[Future[Part]]:
    """Give each partition's sequences and tokens, reading the next in a thread meanwhile."""
    with ThreadPoolExecutor(1) as reader:
        waiting: list[Future[Part]] = []
        for number in numbers:
            waiting.append(reader.submit(scoring.read, number))
            if len(waiting) == 2:
                yield waiting.pop(0)
        yield from waiting


def _judge(scorer: Scorer, batch: Batch, progress: Callable[[float], None]) -> pd.DataFrame:
    score, kinds = scorer.predict_kinds(batch, progress=progress)
    rows = pd.DataFrame({Column.SCORE: score})
    if scorer.kinds:
        rows[Column.LIKELY_SCHEME] = np.array(scorer.kinds)[kinds.argmax(axis=1)]
        rows[Column.LIKELY_SHARE] = kinds.max(axis=1)
    return rows


def _check_known(home: Home, scorer: Scorer, dataset_id: str) -> "pd.Series[int]":
    """Refuse the log before the first score, judging by its largest partition that can be read.

    Returns the number of sequences of each partition.
    """
    columns = [Column.PARTITION, Column.EVENTS]
    events_of = read_sequences(home, dataset_id, columns=columns).groupby(Column.PARTITION)
    mapping, names = read_mapping(home, dataset_id), actions(home, dataset_id)
    for number in events_of.sum()[Column.EVENTS].sort_values(ascending=False).index:
        try:
            events = read_events(home, dataset_id, partition=number)
        except BadInput:
            continue  # the run says so, after it has scored the others
        check_known(scorer.encoder.tokenizer, mapping, names, events, scorer.model_id)
        break
    return events_of.size()
