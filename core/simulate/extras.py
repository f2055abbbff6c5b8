"""What the columns are about that a log has beyond the canonical ones."""

from dataclasses import dataclass
from typing import Final

import pandas as pd
from pandas.api.types import is_numeric_dtype

from core.schema import Column

VISIT: Final = "visit"  # number of the visit, added to the host's frame
CANONICAL: Final = (
    Column.ACTOR, Column.SESSION, Column.TIME, Column.ACTION, Column.ITEM, Column.AMOUNT, VISIT,
)  # fmt: skip


@dataclass(frozen=True)
class Extras:
    """Columns by what they are about; those in none of the lists are about the event."""

    by_item: list[str]  # describe the item, such as its brand
    personal: list[str]  # belong to who acts, such as a device
    unique: list[str]  # number the rows


def sort_extras(frame: pd.DataFrame) -> Extras:
    """Tell what the columns beyond the canonical ones are about, from how steady they are."""
    unique, by_item, personal = [], [], []
    for name in frame.columns:
        values = frame[name]
        if name in CANONICAL or not values.notna().any():
            continue
        if _steady(frame, name, Column.ITEM) > 0.97:
            by_item.append(name)
        elif is_numeric_dtype(values):
            continue
        elif values.nunique() > 0.97 * values.notna().sum():
            unique.append(name)
        elif _steady(frame, name, "visit") > 0.9 and _many(frame, name):
            personal.append(name)
    return Extras(by_item, personal, unique)


def _steady(frame: pd.DataFrame, name: str, within: str) -> float:
    """Return the share of rows with their group's commonest value; 0 where nothing repeats."""
    if within not in frame:
        return 0.0
    pairs = frame.loc[frame[within].notna(), [within, name]]
    if pairs[name].nunique() < 2 or pairs[within].nunique() > 0.9 * len(pairs):
        return 0.0
    counts = pairs.groupby([within, name], dropna=False).size()
    return float(counts.groupby(level=0).max().sum() / len(pairs))


def _many(frame: pd.DataFrame, name: str) -> bool:
    """Tell whether a column has values of single actors rather than a few common ones."""
    return bool(frame[name].nunique() > max(10, 0.1 * frame[Column.ACTOR].nunique()))
