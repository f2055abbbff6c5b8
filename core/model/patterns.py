"""Patterns: how often a sequence's combination of counts by action occurred in the training data.

The count vector that was never seen is the simple detector that is hardest to beat on logs of
systems (Landauer et al., "Deep learning for anomaly detection in log data: a survey", 2023). Here
it is graded by frequency, counts what the model sees as one action, unknown ones too, and tells
high counts apart as coarsely as tokens do.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from core.batch import MASK, Batch
from core.errors import BadInput
from core.schema import Column
from core.tokens import Tokenizer

FILE = "patterns.safetensors"

Counts = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Patterns:
    """The combinations of counts that at least two training sequences have.

    One that a single sequence has says no more than one that none has: whether that sequence
    itself is scored, or one like it, must not matter.
    """

    field: npt.NDArray[np.int64]  # (3,) number of the actions' field, its first token and its end
    counts: Counts  # (P, actions)
    times: npt.NDArray[np.int64]  # (P,)
    total: npt.NDArray[np.int64]  # (1,) training sequences

    @classmethod
    def fit(cls, tokenizer: Tokenizer, batches: Iterable[Batch]) -> "Patterns":
        """Count the patterns of the training data, given in parts."""
        names = [(field.level, field.name) for field in tokenizer.fields]
        index = names.index(("event", Column.ACTION))
        field = np.array([index + 1, tokenizer.starts[index], tokenizer.ends[index]])
        counts = np.empty((0, field[2] - field[1]), np.int8)
        times = np.empty(0, np.int64)
        for batch in batches:
            counts = np.concatenate([counts, _counts(batch, field)])
            times = np.concatenate([times, np.ones(len(batch), np.int64)])
            counts, place = np.unique(counts, axis=0, return_inverse=True)
            times = np.bincount(place.ravel(), weights=times).astype(np.int64)
        return cls(field, counts[times > 1], times[times > 1], np.array([times.sum()]))

    def rarity(self, batch: Batch) -> npt.NDArray[np.float64]:
        """Return the surprise of each sequence's pattern, (N,), in nats.

        Where actions are hidden (an explanation hides them) every pattern fits that has at least
        what is left.
        """
        hidden = np.zeros(len(batch), np.int8)
        hidden[batch.owner[(batch.field == self.field[0]) & (batch.ids == MASK)]] = 1
        rows = np.column_stack([hidden, _counts(batch, self.field)])
        distinct, place = np.unique(rows, axis=0, return_inverse=True)
        found = np.array([self._seen(row[1:], bool(row[0])) for row in distinct])[place.ravel()]
        return np.asarray(np.log(self.total[0] + 1.0) - np.log(found + 1.0))

    def _seen(self, row: Counts, hidden: bool) -> int:
        """Return how many training sequences have the counts `row`, or at least them."""
        if not hidden:
            return self._lookup.get(row.tobytes(), 0)
        if not row.any():
            return int(self.total[0])
        return int(self.times[(self.counts >= row).all(axis=1)].sum())

    @cached_property
    def _lookup(self) -> dict[bytes, int]:
        return {row.tobytes(): int(n) for row, n in zip(self.counts, self.times, strict=True)}

    def save(self, folder: Path) -> None:
        """Write ``patterns.safetensors``."""
        names = ("field", "counts", "times", "total")
        save_file(
            {name: np.ascontiguousarray(getattr(self, name)) for name in names}, folder / FILE
        )

    @classmethod
    def load(cls, folder: Path) -> "Patterns":
        """Read what `save` wrote; `BadInput` if it is missing or damaged."""
        try:
            return cls(**load_file(folder / FILE))
        except (OSError, TypeError, SafetensorError) as error:
            raise BadInput(f"{folder / FILE} is missing or damaged: {error}.") from error


def _counts(batch: Batch, field: npt.NDArray[np.int64]) -> Counts:
    """Return how often each action occurs in each sequence, 0, 1, 2, 3-4, 5-8 ..., (N, actions)."""
    number, start, end = field
    mine = (batch.field == number) & (batch.ids != MASK)
    width = end - start
    place = batch.owner[mine] * width + batch.ids[mine] - start
    counts = np.bincount(place, minlength=len(batch) * width).reshape(len(batch), width)
    return np.where(counts > 0, 1 + np.ceil(np.log2(np.maximum(counts, 1))), 0).astype(np.int8)
