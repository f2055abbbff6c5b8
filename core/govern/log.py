"""A data set as training and evaluation see it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.batch import Batch, joined
from core.logs.frames import actions, read_events, read_mapping, read_sequences
from core.logs.mapping import Mapping
from core.model.batching import Parts
from core.model.duplicates import Hashes, content
from core.model.files import read_json
from core.model.units import Bags, bags_of
from core.schema import Column
from core.store import datasets, labels, verdicts
from core.store.home import Home
from core.tokens import Tokenizer, check_known

SAMPLE = 1_000_000  # events a tokenizer is fitted on

SplitBy = Literal["actor", "time"]  # a random part of the actors tests, or those seen last


@dataclass(frozen=True)
class Log:
    """One data set's sequences, and what is known about them; events are read part by part."""

    home: Home
    dataset_id: str
    mapping: Mapping
    actions: list[str]
    sequences: pd.DataFrame
    bags: Bags | None  # None without verdicts and labels
    content: Hashes  # of each sequence, (S,); empty without verdicts and labels
    confidence: npt.NDArray[np.float64]  # of each sequence's verdict; 1 without one

    def events(
        self,
        rows: npt.NDArray[np.int64] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Return the events of the sequences `rows` (default: all), in the log's order."""
        ids = None if rows is None else self.sequences[Column.SEQUENCE].iloc[rows].tolist()
        return read_events(self.home, self.dataset_id, sequences=ids, columns=columns)

    def fit_tokenizer(self) -> Tokenizer:
        """Learn the tokens of this log, from a sample of a large one."""
        return Tokenizer.fit(self.mapping, self.actions, self._samples(), self.sequences)

    def parts(self, tokenizer: Tokenizer) -> Parts:
        """Return every sequence's tokens, in parts that fit into memory."""
        rows = self._rows()
        partitions = list(rows)

        @lru_cache(maxsize=1)  # a log of one part is encoded once
        def read(number: int) -> Batch:
            events = read_events(self.home, self.dataset_id, partition=partitions[number])
            return tokenizer.encode(events, self.sequences.iloc[rows[partitions[number]]])

        return Parts([len(part) for part in rows.values()], read)

    def encode(self, tokenizer: Tokenizer, rows: npt.NDArray[np.int64] | None = None) -> Batch:
        """Return the tokens of the sequences `rows` (default: all), in that order."""
        wanted = np.arange(len(self.sequences)) if rows is None else rows
        needed = np.unique(wanted)
        parts = self.parts(tokenizer)
        taken = []
        for number, own in enumerate(self._rows().values()):
            inside = np.searchsorted(own, needed[np.isin(needed, own)])
            if len(inside):
                taken.append(parts[number].take(inside))
        return joined(taken).take(np.searchsorted(needed, wanted))

    def check_known(self, tokenizer: Tokenizer, model_id: str) -> None:
        """Raise `BadInput` if too few of this log's tokens are known to a model."""
        rows = self._rows()
        largest = max(rows, key=lambda partition: len(rows[partition]))
        events = read_events(self.home, self.dataset_id, partition=largest)
        check_known(tokenizer, self.mapping, self.actions, events, model_id)

    def _rows(self) -> dict[int, npt.NDArray[np.int64]]:
        """Return the rows of `sequences` that lie in each partition, which follow one another."""
        partition = self.sequences[Column.PARTITION].to_numpy()
        return {int(number): np.flatnonzero(partition == number) for number in np.unique(partition)}

    def _samples(self) -> Iterator[pd.DataFrame]:
        share = min(1.0, SAMPLE / max(1, self.sequences[Column.EVENTS].sum()))
        for partition in self._rows():
            events = read_events(self.home, self.dataset_id, partition=partition)
            yield events if share == 1 else events.sample(frac=share, random_state=0)


def read_log(home: Home, dataset_id: str, *, split_by: SplitBy = "actor") -> Log:
    """Read a data set with its verdicts and labels.

    Raises
    ------
    BadInput
        If labels are to be split by time and the log has none.
    """
    outside, decided = _told(home, dataset_id)
    sequences = read_sequences(home, dataset_id)
    hashes = np.array([], dtype=np.uint64)
    if len(outside) or len(decided):
        hashes = read_content(home, dataset_id)
    return Log(
        home,
        dataset_id,
        read_mapping(home, dataset_id),
        actions(home, dataset_id),
        sequences,
        bags_of(sequences, outside, decided, content=hashes, by_time=split_by == "time"),
        hashes,
        _confidence(sequences, decided),
    )


def split_of(home: Home, model_id: str) -> SplitBy:
    """Return how a model's training split the labelled units."""
    by: SplitBy = read_json(home.model_dir(model_id) / "training.json").get("split_by", "actor")
    return by


def read_units(
    home: Home,
    dataset_id: str,
    content: Callable[[], Hashes],
    *,
    split_by: SplitBy = "actor",
) -> Bags | None:
    """Return the labelled units as `read_log` does, without the rest of the log.

    `content` gives what `read_content` does and is asked only where there are verdicts or labels.
    """
    told = _told(home, dataset_id)
    if not any(map(len, told)):
        return None
    sequences = read_sequences(home, dataset_id)
    return bags_of(sequences, *told, content=content(), by_time=split_by == "time")


def _told(home: Home, dataset_id: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the labels and the verdicts of a data set."""
    with home.engine.connect() as con:
        datasets.get(con, dataset_id)
        return labels.of_dataset(con, dataset_id), verdicts.of_dataset(con, dataset_id)


def read_content(home: Home, dataset_id: str) -> Hashes:
    """Return the content hash of every sequence, (S,), from one partition of the log at a time."""
    mapping = read_mapping(home, dataset_id)
    found = []
    for partition, part in read_sequences(home, dataset_id).groupby(Column.PARTITION, sort=True):
        events = read_events(home, dataset_id, partition=int(str(partition)))
        found.append(content(events, part[Column.EVENTS].to_numpy(), mapping))
    return np.concatenate(found)


def _confidence(sequences: pd.DataFrame, decided: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return how sure the analyst was of each sequence's verdict; 1 where there is none."""
    sure = np.ones(len(sequences))
    columns = (decided[name] for name in ("decision", "sequences", "actor_id", "confidence"))
    for decision, covered, actor, confidence in zip(*columns, strict=True):
        if decision == "legitimate":
            sure[(sequences[Column.ACTOR] == actor).to_numpy()] = confidence
        elif decision == "confirmed":
            sure[sequences[Column.SEQUENCE].isin(covered).to_numpy()] = confidence
    return sure
