"""What the baselines see of a unit: the facts of its sequences in a table, one row per unit."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.model.units import Bags
from core.schema import Column, Trust

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """Features of units; `words` says each in plain English with one ``{value}``."""

    values: Floats  # (B, F), NaN where missing
    words: list[str]  # (F,)

    def __post_init__(self) -> None:
        assert self.values.shape[1] == len(self.words)


def counts(sequences: pd.DataFrame, bags: Bags, words: Mapping[str, str]) -> Table:
    """Return how often each action occurs in a unit, and how many events and sequences it has."""
    names = [Column.EVENTS, *(str(c) for c in sequences if str(c).startswith("count_"))]
    sums = np.add.reduceat(_numbers(sequences[names], bags), bags.offsets[:-1])
    values = np.column_stack([sums, np.diff(bags.offsets)])
    return Table(values, [*(words.get(name, f"{name} {{value}}") for name in names), _SEQUENCES])


def facts(sequences: pd.DataFrame, bags: Bags, words: Mapping[str, str]) -> Table:
    """Return mean and maximum of every numeric fact over a unit's sequences."""
    frame = sequences.drop(columns=[Column.PARTITION, *Trust.COLUMNS], errors="ignore")
    numeric = frame.select_dtypes("number")
    said = [words.get(str(name), f"{name} {{value}}") for name in numeric]
    values = _numbers(numeric, bags)
    if len(bags.rows) == len(bags):
        return Table(values, said)  # mean and maximum of one sequence are the same
    present = np.isfinite(values)
    starts = bags.offsets[:-1]
    total = np.add.reduceat(np.where(present, values, 0.0), starts)
    number = np.add.reduceat(present.astype(float), starts)
    highest = np.maximum.reduceat(np.where(present, values, -np.inf), starts)
    mean = np.divide(total, number, out=np.full_like(total, np.nan), where=number > 0)
    highest[number == 0] = np.nan
    return Table(
        np.column_stack([mean, highest, np.diff(bags.offsets)]),
        [f"{word} (mean)" for word in said] + [f"{word} (highest)" for word in said] + [_SEQUENCES],
    )


_SEQUENCES = "{value} sequences"


def _numbers(frame: pd.DataFrame, bags: Bags) -> Floats:
    return frame.to_numpy(dtype=np.float64, na_value=np.nan)[bags.rows]
