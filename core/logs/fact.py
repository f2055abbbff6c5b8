"""What a fact is, and which columns have facts of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.logs.mapping import Mapping, extra_columns

Scope = Literal["actor", "log", "sequence"]
Bucketing = Literal["count", "seconds", "ratio", "category", "number"]


@dataclass(frozen=True)
class Fact:
    """One fact: how to compute it of `Events`, or of `Sequences` of them.

    Scope `actor` needs the actor's events only, `log` those of others too, `sequence` sums up the
    events of one sequence. An event's fact of scope `log` needs all events with the same value of
    one column: `of` is its name. A fact of the profile that compares finished sequences has nothing
    to `compute` here: `core.logs.summing` does that. `words` holds one `{value}`. A fact of the
    kind `category` is the number of one of its `values`.
    """

    name: str
    compute: Callable[[Any], npt.NDArray[Any]] | None
    scope: Scope
    bucketing: Bucketing
    words: str
    of: str | None = None
    values: tuple[str, ...] = ()

    def of_frame(self, found: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return what was computed as a data frame holds it."""
        if self.bucketing != "category":
            return found.astype(np.float64)
        named: npt.NDArray[Any] = np.array([*self.values, None], dtype=object)[found]
        return named

    def to_arrow(self, found: npt.NDArray[Any]) -> pa.Array:
        """Return what was computed as a file holds it."""
        if self.bucketing != "category":
            return pa.array(found.astype(np.float64), from_pandas=True)
        numbers = pa.array(found.astype(np.int8), mask=found < 0)
        return pa.DictionaryArray.from_arrays(numbers, list(self.values))


def numeric_columns(mapping: Mapping) -> list[str]:
    """Return the canonical names of the columns that hold numbers."""
    extras = [name for name, kind in extra_columns(mapping).items() if kind == "numeric"]
    return ["amount", *extras] if mapping.roles.amount else extras


def entity_columns(mapping: Mapping) -> list[str]:
    """Return the canonical names of the columns that hold entities other than actor and item."""
    return [name for name, kind in extra_columns(mapping).items() if kind == "entity"]


def plain(name: str) -> str:
    """Return a column's name as words."""
    return name.strip("_").replace("_", " ")
