"""Sequences as strings over a small alphabet, for chains and novelty."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Ids = npt.NDArray[np.int64]

MOST = 200  # symbols; rarer ones share the last
BINS = 8  # of a number that serves as symbol


@dataclass(frozen=True)
class Strings:
    """Sequence `i` is ``codes[offsets[i]:offsets[i + 1]]``; codes are below `size`."""

    codes: Ids  # (E,)
    offsets: Ids  # (S + 1,)
    size: int
    column: str  # what the symbols are

    def take(self, rows: Ids) -> "Strings":
        """Return the sequences `rows`, in that order."""
        lengths = np.diff(self.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        index = np.arange(offsets[-1]) + np.repeat(self.offsets[rows] - offsets[:-1], lengths)
        return Strings(self.codes[index], offsets, self.size, self.column)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def split(self) -> list[Ids]:
        """Return the sequences one by one."""
        return np.split(self.codes, self.offsets[1:-1])


def strings(events: pd.DataFrame, counts: Ids, columns: Sequence[str]) -> Strings:
    """Return the sequences as strings of the first of `columns` that varies.

    Numbers become one of eight bins of equally many events, unless they have no more values.
    """
    known = events[list(columns)].nunique()
    column = next((name for name in columns if known[name] > 1), columns[0])
    values = events[column]
    if pd.api.types.is_numeric_dtype(values) and values.nunique() > BINS:
        values = pd.qcut(values, BINS, labels=False, duplicates="drop")
    common = values.value_counts().index[: MOST - 1]
    codes = pd.Index(common).get_indexer(values).astype(np.int64)
    codes[codes < 0] = len(common)  # rarer ones, and missing
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Strings(codes, offsets, len(common) + 1, column)
