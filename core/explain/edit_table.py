"""Edits as a table in which a person works, and back."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from core.explain.edits import ORIGIN, POSITION, Edits, Value
from core.schema import Column

PLACE: Final = "@event"  # where an event stands, from 1; 2.5 is between the second and the third


def as_table(edits: Edits, own: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return a sequence as the edits make it: `ORIGIN`, `PLACE` and `columns`, by place.

    What is added has no `ORIGIN`, and no time where the edits give it none.

    Parameters
    ----------
    own
        The sequence's events before, in order.
    """
    place = np.arange(1.0, len(own) + 1)
    table = own[list(columns)].assign(**{ORIGIN: place - 1, PLACE: place})
    written = dict(edits.change)
    if edits.insert:
        table = pd.concat([table, table.iloc[[0] * len(edits.insert)]], ignore_index=True)
        table.loc[len(own) :, [ORIGIN, PLACE, *columns]] = None
        written |= {len(own) + number: values for number, values in enumerate(edits.insert)}
    for index, values in written.items():
        for name, value in values.items():
            if name == POSITION:
                table.loc[index, PLACE] = None if value is None else float(value) + 1
            else:
                table.loc[index, name] = _cell(name, value)
    table = table.drop(index=edits.delete).sort_values(PLACE, kind="stable", ignore_index=True)
    return table[[ORIGIN, PLACE, *columns]]


def from_table(table: pd.DataFrame, own: pd.DataFrame) -> Edits:
    """Return the edits that make a sequence what stands in the table.

    Parameters
    ----------
    table
        As `as_table` gives it, with rows left out, added and changed.
    own
        The sequence's events before, in order.
    """
    columns = [name for name in table if name not in (ORIGIN, PLACE)]
    change: dict[int, dict[str, Value]] = {}
    insert: list[dict[str, Value]] = []
    for row in table.to_dict("records"):
        origin, place = row[ORIGIN], row[PLACE]
        values: dict[str, Value] = {str(name): _value(row[name]) for name in columns}
        if pd.isna(origin):
            told = values if pd.isna(place) else {POSITION: float(place) - 1, **values}
            insert.append({name: one for name, one in told.items() if one is not None})
            continue
        before = own.iloc[int(origin)]
        new = {name: one for name, one in values.items() if one != _value(before[name])}
        if pd.notna(place) and float(place) != origin + 1:
            new[POSITION] = float(place) - 1
        if new:
            change[int(origin)] = new
    kept = set(table[ORIGIN].dropna().astype(int))
    delete = [place for place in range(len(own)) if place not in kept]
    return Edits(delete=delete, change=change, insert=insert)


def _cell(name: str, value: Value) -> Any:
    if name != Column.TIME or value is None:
        return value
    at = pd.Timestamp(value)
    return at.tz_localize("UTC") if at.tzinfo is None else at.tz_convert("UTC")


def _value(cell: Any) -> Value:
    """Return a cell as edits hold it: times as ISO 8601 in UTC, numbers as floats."""
    if cell is None or pd.isna(cell):
        return None
    if isinstance(cell, pd.Timestamp):
        utc = cell.tz_localize("UTC") if cell.tzinfo is None else cell.tz_convert("UTC")
        return str(utc.isoformat())
    return float(cell) if isinstance(cell, int | float | np.number) else str(cell)
