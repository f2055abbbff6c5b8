"""Patterns: how often a sequence's combination of counts by action occurred in the training data.

The count vector that was never seen is the simple detector that is hardest to beat on logs of
systems (Landauer et al., "Deep learning for anomaly detection in log data: a survey", 2023). Here
it is graded by frequency and reads the same tokens as the model.
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
from core.tokens import Tokenizer

FILE = "patterns.safetensors"
COUNTS = "count_"  # how the facts are called that count an action

Ids = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Patterns:
    """The combinations of counts that at least two training sequences have.

    One that a single sequence has says no more than one that none has: whether that sequence
    itself is scored, or one like it, must not matter.
    """

    fields: npt.NDArray[np.int64]  # (F,) numbers of the fields that count an action
    ids: Ids  # (P, F)
    count: npt.NDArray[np.int64]  # (P,)
    total: npt.NDArray[np.int64]  # (1,) training sequences

    @classmethod
    def fit(cls, tokenizer: Tokenizer, batches: Iterable[Batch]) -> "Patterns":
        """Count the patterns of the training data, given in parts."""
        fields = np.array(
            [
                number
                for number, field in enumerate(tokenizer.fields, start=1)
                if field.level == "profile" and field.name.startswith(COUNTS)
            ],
            dtype=np.int64,
        )
        ids = np.empty((0, len(fields)), np.int32)
        count = np.empty(0, np.int64)
        for batch in batches:
            ids = np.concatenate([ids, _grid(batch, fields)])
            count = np.concatenate([count, np.ones(len(batch), np.int64)])
            ids, place = np.unique(ids, axis=0, return_inverse=True)
            count = np.bincount(place.ravel(), weights=count, minlength=len(ids)).astype(np.int64)
        total = np.array([count.sum()])
        return cls(fields, ids[count > 1], count[count > 1], total)

    def rarity(self, batch: Batch) -> npt.NDArray[np.float64]:
        """Return the surprise of each sequence's pattern, (N,), in nats.

        Counts that are hidden (an explanation hides them) fit every pattern.
        """
        distinct, place = np.unique(_grid(batch, self.fields), axis=0, return_inverse=True)
        found = np.array([self._seen(row) for row in distinct])[place.ravel()]
        return np.asarray(np.log(self.total[0] + 1.0) - np.log(found + 1.0))

    def _seen(self, row: Ids) -> int:
        """Return how many training sequences have the counts `row`."""
        known = row != MASK
        if known.all():
            return self._lookup.get(row.tobytes(), 0)
        if not known.any():
            return int(self.total[0])
        return int(self.count[(self.ids[:, known] == row[known]).all(axis=1)].sum())

    @cached_property
    def _lookup(self) -> dict[bytes, int]:
        return {row.tobytes(): int(n) for row, n in zip(self.ids, self.count, strict=True)}

    def save(self, folder: Path) -> None:
        """Write ``patterns.safetensors``."""
        names = ("fields", "ids", "count", "total")
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


def _grid(batch: Batch, fields: npt.NDArray[np.int64]) -> Ids:
    """Return the ids of the profile's tokens of `fields`, (N, F)."""
    column = np.full(int(max(batch.field.max(initial=0), fields.max(initial=0))) + 1, -1)
    column[fields] = np.arange(len(fields))
    wanted = np.flatnonzero(column[batch.field] >= 0)
    grid = np.full((len(batch), len(fields)), MASK, dtype=np.int32)
    grid[batch.owner[wanted], column[batch.field[wanted]]] = batch.ids[wanted]
    return grid
