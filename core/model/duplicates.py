"""Sequences of the same content: one of them in training would give the other one's label away."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.fields import relative_ids
from core.logs.mapping import Mapping, extra_columns
from core.schema import Column

Hashes = npt.NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def content(events: pd.DataFrame, counts: npt.NDArray[np.int64], mapping: Mapping) -> Hashes:
    """Return a hash of what happens in each sequence, (S,).

    The same events in the same order have the same hash, whoever did them and whenever. As in the
    tokens, an entity counts by its turn within the sequence: a script that is run from another
    address is the same script.

    Parameters
    ----------
    events
        In the order of the sequences.
    counts
        Events of each sequence, (S,).
    """
    sequence = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    kinds = extra_columns(mapping)
    what = [Column.ACTION, Column.ITEM, Column.AMOUNT]
    told = events[[*what, *(name for name, kind in kinds.items() if kind != "entity")]]
    turns = {
        name: relative_ids(sequence, events[name])
        for name, kind in kinds.items()
        if kind == "entity"
    }
    hashes = pd.util.hash_pandas_object(told.assign(**turns), index=False).to_numpy(np.uint64)
    first = np.cumsum(counts) - counts
    place = np.arange(len(events), dtype=np.uint64) - np.repeat(first, counts).astype(np.uint64)
    return _sums(_mixed(hashes + place * _GOLDEN), sequence, len(counts))


def of_owners(content: Hashes, owner: npt.NDArray[Any], size: int) -> Hashes:
    """Return a hash of the set of sequences of each of `size` owners; `owner` numbers them, (S,).

    Their order does not count.
    """
    return _sums(_mixed(content), owner, size)


def _sums(hashes: Hashes, owner: npt.NDArray[Any], size: int) -> Hashes:
    total = np.zeros(size, dtype=np.uint64)
    np.add.at(total, owner, hashes)  # wraps around, as hashes may
    return total


def _mixed(values: Hashes) -> Hashes:
    """Scatter numbers over all 64 bits (splitmix64; Steele, Lea & Flood, OOPSLA 2014)."""
    values = (values ^ (values >> np.uint64(30))) * _MIX[0]
    values = (values ^ (values >> np.uint64(27))) * _MIX[1]
    return values ^ (values >> np.uint64(31))
