"""How long sequences would be if nothing cut them: what an analyst needs to choose the cut."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.logs.sequencing import Cut


def whole_lengths(cut: Cut, most: int) -> dict[int, int]:
    """Return events of a sequence -> sequences, as they were before they were cut at `most`."""
    lengths, pieces = np.unique(cut.whole, return_counts=True)
    wholes = pieces // -(-lengths // most)
    return dict(zip(lengths.tolist(), wholes.tolist(), strict=True))


@dataclass(frozen=True)
class LengthSummary:
    """What a distribution of lengths comes down to, in events."""

    median: int
    nearly_all: int  # 95 % of the sequences are not longer
    longest: int
    sequences: int
    split: int  # sequences that are longer than the cut allows


def summarise(lengths: Mapping[int, int], most: int) -> LengthSummary:
    """Summarise lengths (events -> sequences) under a cut at `most` events."""
    sequences = sum(lengths.values())
    return LengthSummary(
        median=_quantile(lengths, 0.5 * sequences),
        nearly_all=_quantile(lengths, 0.95 * sequences),
        longest=max(lengths),
        sequences=sequences,
        split=sum(number for length, number in lengths.items() if length > most),
    )


def _quantile(lengths: Mapping[int, int], wanted: float) -> int:
    """Return the shortest length that `wanted` sequences do not exceed."""
    reached = 0
    for length in sorted(lengths):
        reached += lengths[length]
        if reached >= wanted:
            return length
    return max(lengths)
