"""Which sequences go through the encoder together: alike in length, so that little is padded."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.batch import Batch

Rows = npt.NDArray[np.int64]
Report = Callable[[dict[str, Any]], None]  # told each point of a training curve; may raise to stop

BUDGET = 8192  # positions of one batch, padding included


@dataclass(frozen=True)
class Parts:
    """A log's sequences in parts that fit into memory, each read when it is asked for."""

    sizes: list[int]  # sequences of each part
    read: Callable[[int], Batch]

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, number: int) -> Batch:
        return self.read(number)

    def __iter__(self) -> Iterator[Batch]:
        return (self.read(number) for number in range(len(self)))


def by_length(cost: npt.NDArray[np.int64], budget: int = BUDGET) -> list[Rows]:
    """Cut the sequences, sorted by `cost`, into batches of at most `budget` padded positions."""
    order = np.argsort(-cost, kind="stable")
    batches = []
    start = 0
    while start < len(order):
        size = max(1, budget // int(cost[order[start]]))  # the first is the longest
        batches.append(order[start : start + size])
        start += size
    return batches


def shuffled(
    cost: npt.NDArray[np.int64], *, size: int, rng: np.random.Generator, budget: int = BUDGET
) -> list[Rows]:
    """Cut into random batches of about `size` sequences of similar `cost`, in random order."""
    order = rng.permutation(len(cost))
    pools = np.array_split(order, max(1, len(order) // (size * 16)))
    batches = []
    for pool in pools:
        for rows in by_length(cost[pool], budget):
            batches += np.array_split(pool[rows], -(-len(rows) // size))
    return [batches[index] for index in rng.permutation(len(batches))]
