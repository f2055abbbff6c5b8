"""A data set as training and evaluation see it."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from core.batch import Batch
from core.logs.frames import actions, read_events, read_mapping, read_sequences
from core.logs.mapping import Mapping
from core.model.duplicates import Hashes, content
from core.model.units import Bags, bags_of
from core.schema import Column
from core.store import datasets, labels, verdicts
from core.store.home import Home
from core.tokens import Tokenizer, check_known

SplitBy = Literal["actor", "time"]  # a random part of the actors tests, or those seen last


@dataclass(frozen=True)
class Log:
    """One data set's events and sequences, and what is known about them."""

    dataset_id: str
    mapping: Mapping
    actions: list[str]
    sequences: pd.DataFrame
    events: pd.DataFrame  # in the order of `sequences`
    bags: Bags | None  # None without verdicts and labels
    content: Hashes  # of each sequence, (S,)

    def fit_tokenizer(self) -> Tokenizer:
        """Learn the tokens of this log."""
        return Tokenizer.fit(self.mapping, self.actions, [self.events], self.sequences)

    def encode(self, tokenizer: Tokenizer) -> Batch:
        """Return every sequence's tokens."""
        return tokenizer.encode(self.events, self.sequences)

    def check_known(self, tokenizer: Tokenizer, model_id: str) -> None:
        """Raise `BadInput` if too few of this log's tokens are known to a model."""
        check_known(tokenizer, self.mapping, self.actions, self.events, model_id)


def read_log(home: Home, dataset_id: str, *, split_by: SplitBy = "actor") -> Log:
    """Read a data set with its verdicts and labels.

    Raises
    ------
    BadInput
        If labels are to be split by time and the log has none.
    """
    with home.engine.connect() as con:
        datasets.get(con, dataset_id)
        outside = labels.of_dataset(con, dataset_id)
        decided = verdicts.of_dataset(con, dataset_id)
    sequences = read_sequences(home, dataset_id)
    events = read_events(home, dataset_id)
    mapping = read_mapping(home, dataset_id)
    hashes = content(events, sequences[Column.EVENTS].to_numpy(), mapping)
    by_time = split_by == "time"
    bags = bags_of(sequences, outside, decided, content=hashes, by_time=by_time)
    names = actions(home, dataset_id)
    return Log(dataset_id, mapping, names, sequences, events, bags, hashes)
