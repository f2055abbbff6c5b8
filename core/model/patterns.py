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
    """The combinations of counts that training sequences have.

    Of what only one sequence has a digest is enough: there can be as many as sequences.
    """

    field: npt.NDArray[np.int64]  # (3,) number of the actions' field, its first token and its end
    counts: Counts  # (P, actions), of the combinations that several sequences have
    times: npt.NDArray[np.int64]  # (P,)
    once: npt.NDArray[np.int64]  # (Q,) digests of the others
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
        several = times > 1
        once = _digest(counts[~several])
        return cls(field, counts[several], times[several], once, np.array([times.sum()]))

    def rarity(self, batch: Batch, *, itself: bool = False) -> npt.NDArray[np.float64]:
        """Return the surprise of each sequence's pattern, (N,), in nats.

        Where actions are hidden (an explanation hides them) every pattern fits that has at least
        what is left.

        Parameters
        ----------
        itself
            Whether the sequences are among the training data, and are not to count themselves.
        """
        hidden = np.zeros(len(batch), np.int8)
        hidden[batch.owner[(batch.field == self.field[0]) & (batch.ids == MASK)]] = 1
        rows = np.column_stack([hidden, _counts(batch, self.field)])
        distinct, place = np.unique(rows, axis=0, return_inverse=True)
        found = np.array([self._seen(row[1:], bool(row[0])) for row in distinct])[place.ravel()]
        found = np.maximum(found - itself, 0)
        return np.asarray(np.log(self.total[0] + 1.0) - np.log(found + 1.0))

    def _seen(self, row: Counts, hidden: bool) -> int:
        """Return how many training sequences have the counts `row`, or at least them."""
        if not hidden:
            return self._lookup.get(int(_digest(row[None])[0]), 0)
        if not row.any():
            return int(self.total[0])
        # What only one sequence has may fit too; hiding must not make a sequence stranger.
        return max(1, int(self.times[(self.counts >= row).all(axis=1)].sum()))

    @cached_property
    def _lookup(self) -> dict[int, int]:
        return {
            int(digest): int(times)
            for digest, times in zip(
                np.append(_digest(self.counts), self.once),
                np.append(self.times, np.ones_like(self.once)),
                strict=True,
            )
        }

    def save(self, folder: Path) -> None:
        """Write ``patterns.safetensors``."""
        names = ("field", "counts", "times", "once", "total")
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


def _digest(rows: Counts) -> npt.NDArray[np.int64]:
    """Return a number for each row of counts, (N,): equal rows have equal ones."""
    width = rows.shape[1]
    weights = np.random.default_rng(0).integers(-(2**63), 2**63 - 1, width, dtype=np.int64)
    return rows.astype(np.int64) @ weights  # multilinear hashing, modulo 2 ** 64


def _counts(batch: Batch, field: npt.NDArray[np.int64]) -> Counts:
    """Return how often each action occurs in each sequence, 0, 1, 2, 3-4, 5-8 ..., (N, actions)."""
    number, start, end = field
    mine = (batch.field == number) & (batch.ids != MASK)
    width = end - start
    place = batch.owner[mine] * width + batch.ids[mine] - start
    counts = np.bincount(place, minlength=len(batch) * width).reshape(len(batch), width)
    return np.where(counts > 0, 1 + np.ceil(np.log2(np.maximum(counts, 1))), 0).astype(np.int8)
