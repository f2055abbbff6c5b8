"""Sequences as the model takes them: ragged tokens, without padding."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

PAD, MASK, CLS = 0, 1, 2  # ids of the special tokens


@dataclass(frozen=True)
class Batch:
    """Ragged token sequences, without padding.

    Sequence `i` is ``ids[offsets[i]:offsets[i + 1]]``. Event 0 is the profile group, which opens
    with ``[CLS]``; field 0 is the special field.
    """

    ids: npt.NDArray[np.int32]  # (T,)
    field: npt.NDArray[np.int16]  # (T,)
    event: npt.NDArray[np.int16]  # (T,)
    offsets: npt.NDArray[np.int64]  # (N + 1,)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def tokens(self) -> npt.NDArray[np.int64]:
        """Number of tokens of each sequence, (N,)."""
        return np.diff(self.offsets)

    @cached_property
    def positions(self) -> npt.NDArray[np.int64]:
        """Number of events of each sequence, the profile group included, (N,)."""
        return self.event[self.offsets[1:] - 1].astype(np.int64) + 1

    @cached_property
    def owner(self) -> npt.NDArray[np.int64]:
        """Row of the sequence each token belongs to, (T,)."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.tokens)

    @cached_property
    def group(self) -> npt.NDArray[np.int64]:
        """Number of each token's event, counted through the whole batch, (T,)."""
        before = np.cumsum(self.positions) - self.positions
        return before[self.owner] + self.event

    def hidden(self, chosen: npt.NDArray[np.bool_]) -> "Batch":
        """Return the batch with the `chosen` tokens hidden behind ``[MASK]``."""
        return replace(self, ids=np.where(chosen, MASK, self.ids).astype(np.int32))

    def hidden_in_turn(self, chosen: npt.NDArray[np.bool_]) -> "Batch":
        """Return the one sequence as often as `chosen`, (C, T), has rows, each row's hidden."""
        times, length = chosen.shape
        ids = np.where(chosen, MASK, self.ids).astype(np.int32)
        offsets = np.arange(times + 1, dtype=np.int64) * length
        return Batch(ids.ravel(), np.tile(self.field, times), np.tile(self.event, times), offsets)

    def take(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> "Batch":
        """Return the sequences `rows`, in that order."""
        rows = np.asarray(rows, dtype=np.int64)
        lengths = self.tokens[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        index = np.arange(offsets[-1]) + np.repeat(self.offsets[rows] - offsets[:-1], lengths)
        return Batch(self.ids[index], self.field[index], self.event[index], offsets)

    def padded(self) -> "dict[str, torch.Tensor]":
        """Return Hugging Face tensors of shape (N, longest), for code that wants them."""
        import torch

        shape = (len(self), int(self.tokens.max()))
        row = self.owner
        column = np.arange(len(self.ids)) - self.offsets[row]
        sources: dict[str, npt.NDArray[Any]] = {
            "input_ids": self.ids,
            "token_type_ids": self.field,
            "position_ids": self.event,
            "attention_mask": np.ones(len(self.ids)),
        }
        padded = {}
        for name, source in sources.items():
            grid = np.full(shape, PAD, dtype=np.int64)
            grid[row, column] = source
            padded[name] = torch.from_numpy(grid)
        return padded


def joined(batches: Sequence[Batch]) -> Batch:
    """Return the sequences of several batches as one."""
    parts = ([getattr(batch, name) for batch in batches] for name in ("ids", "field", "event"))
    lengths = np.concatenate([batch.tokens for batch in batches])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids, field, event = (np.concatenate(part) for part in parts)
    return Batch(ids, field, event, offsets)


def usual_share(batches: Iterable[Batch], size: int) -> npt.NDArray[np.float64]:
    """Return the share of the sequences that contain each token, (size,)."""
    containing = np.zeros(size)
    sequences = 0
    for batch in batches:
        pairs = np.unique(batch.owner * size + batch.ids)
        containing += np.bincount(pairs % size, minlength=size)
        sequences += len(batch)
    return containing / sequences
