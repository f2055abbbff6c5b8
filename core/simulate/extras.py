"""What the columns are about that a log has beyond the canonical ones."""

from dataclasses import dataclass, field
from typing import Final

import pandas as pd
from pandas.api.types import is_datetime64_any_dtype, is_integer_dtype, is_numeric_dtype

from core.schema import Column

LOOK: Final = 1000  # values that show whether a column holds ids
LEAST: Final = 20  # values, for a column to number rows by more than chance
VISIT: Final = "visit"  # number of the visit, added to the host's frame
CANONICAL: Final = (
    Column.ACTOR, Column.SESSION, Column.TIME, Column.ACTION, Column.ITEM, Column.AMOUNT, VISIT,
)  # fmt: skip


@dataclass(frozen=True)
class Extras:
    """Columns by what they are about; those in none of the lists are about the event."""

    by_item: list[str] = field(default_factory=list)  # describe the item, such as its brand
    personal: list[str] = field(default_factory=list)  # ids of who acts, such as a device
    habitual: list[str] = field(default_factory=list)  # steady in a visit, such as a platform
    unique: list[str] = field(default_factory=list)  # ids of rows


def sort_extras(frame: pd.DataFrame) -> Extras:
    """Tell what the columns beyond the canonical ones are about, from how steady they are."""
    extras = Extras()
    for name in frame.columns:
        values = frame[name].dropna()
        if name in CANONICAL or not len(values):
            continue
        if _steady(frame, name, Column.ITEM) > 0.97:
            extras.by_item.append(name)
        elif _is_text(values) or is_integer_dtype(values):
            _sort_ids(extras, frame, name)
    return extras


def _sort_ids(extras: Extras, frame: pd.DataFrame, name: str) -> None:
    values = frame[name].dropna()
    ids = values.astype(str).head(LOOK).str.fullmatch(r"\S*\d\S*").mean() > 0.8
    if ids and values.nunique() > 0.97 * len(values) > LEAST:
        extras.unique.append(name)
    elif _is_text(values) and _steady(frame, name, VISIT) > 0.9:
        (extras.personal if ids and _many(frame, name) else extras.habitual).append(name)


def _is_text(values: pd.Series) -> bool:
    return not is_numeric_dtype(values) and not is_datetime64_any_dtype(values)


def _steady(frame: pd.DataFrame, name: str, within: str) -> float:
    """Return the share of rows with their group's commonest value; 0 where that tells nothing."""
    if within not in frame:
        return 0.0
    pairs = frame.loc[frame[within].notna(), [within, name]]
    repeats = pairs[within].nunique() < 0.9 * len(pairs)
    if not repeats or pairs[name].nunique() < 2 or pairs[name].isna().mean() > 0.5:
        return 0.0
    counts = pairs.groupby([within, name], dropna=False).size()
    return float(counts.groupby(level=0).max().sum() / len(pairs))


def _many(frame: pd.DataFrame, name: str) -> bool:
    """Tell whether a column has values of single actors rather than a few common ones."""
    return bool(frame[name].nunique() > max(10, 0.1 * frame[Column.ACTOR].nunique()))
