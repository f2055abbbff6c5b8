"""Numbers far outside what their column usually holds, by the robust z-score."""

import math
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import numpy as np

from core.logs.engine import one_row, quoted
from core.logs.mapping import Mapping
from core.logs.ordered import Events, Flags

FAR: Final = 6.0  # robust standard deviations from the median
HABIT: Final = 0.01  # what lies beyond a bound more often than this is no outlier
_SAMPLE = 200_000  # values that the bounds are found from
_SHOWN = 3
_PER_MAD = 1.4826  # standard deviation of normal values over their median absolute deviation
_TENFOLD = math.log(10) / FAR  # where half of the values are one and the same


@dataclass(frozen=True)
class Bounds:
    """The usual range of a column; None where the values have no bound."""

    scale: str  # log: prices and counts differ by factors
    low: float | None = None
    high: float | None = None

    def beyond(self, name: str, *, low: bool = True, high: bool = True) -> str:
        """Return the SQL condition that a value of the column lies outside."""
        column = quoted(name)
        sides = [f"{column} < '{self.low}'::DOUBLE"] if low and self.low is not None else []
        if high and self.high is not None:
            sides.append(f"{column} > '{self.high}'::DOUBLE")
        return f"({' OR '.join(sides)})" if sides else "false"


def measure_outliers(
    con: duckdb.DuckDBPyConnection, columns: dict[str, str], table: str, events: int
) -> dict[str, Any]:
    """Return the outliers of each numeric column.

    Parameters
    ----------
    columns
        Name in the file -> name in `table`.
    events
        Rows of `table`; of many, every so-and-so-many-th decides about the bounds.
    """
    every = events // _SAMPLE + 1
    return {
        source: _outliers(con, name, _bounds(con, name, table, every), table)
        for source, name in columns.items()
    }


def hold_outliers(quality: dict[str, Any], columns: dict[str, str], events: Events) -> Flags:
    """Tell the events that hold an outlier, by the report's bounds.

    `columns` is as in `measure_outliers`.
    """
    found = np.zeros(len(events), dtype=bool)
    for source, told in quality["outliers"].items():
        values = events[columns[source]]
        low, high = told["low"], told["high"]
        found |= values < (-np.inf if low is None else low)
        found |= values > (np.inf if high is None else high)
    return found


def numeric_sources(mapping: Mapping, names: dict[str, str]) -> dict[str, str]:
    """Return the numeric columns of a log: name in the file -> canonical name."""
    return {
        source: name
        for source, name in names.items()
        if source == mapping.roles.amount or mapping.columns.get(source) == "numeric"
    }


def _bounds(con: duckdb.DuckDBPyConnection, name: str, table: str, every: int) -> Bounds:
    column = quoted(name)
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE numbers AS SELECT {column} AS x FROM {table}
        WHERE isfinite({column}) AND hash("row") % {every} = 0"""
    )
    values, negative = one_row(con, "SELECT count(*), count(*) FILTER (x < 0) FROM numbers")
    scale = "log" if negative <= HABIT * values else "linear"
    shown = "CASE WHEN x > 0 THEN ln(x) END" if scale == "log" else "x"
    centre, mad = one_row(
        con,
        f"""SELECT any_value(centre), median(abs(y - centre)) FROM (
            SELECT y, median(y) OVER () AS centre FROM (SELECT {shown} AS y FROM numbers))""",
    )
    spread = _PER_MAD * mad if mad else _TENFOLD if scale == "log" else None
    if centre is None or spread is None:
        return Bounds(scale)
    low, high = centre - FAR * spread, centre + FAR * spread
    if scale == "linear":
        return Bounds(scale, low, high)
    return Bounds(scale, math.exp(low), math.exp(min(high, 700)))  # exp overflows above


def _outliers(
    con: duckdb.DuckDBPyConnection, name: str, bounds: Bounds, table: str
) -> dict[str, Any]:
    column = quoted(name)
    finite = f"isfinite({column})"  # what JSON can hold
    values, lowest, highest, below, above = one_row(
        con,
        f"""SELECT count({column}),
            min({column}) FILTER ({finite}), max({column}) FILTER ({finite}),
            count(*) FILTER ({bounds.beyond(name, high=False)}),
            count(*) FILTER ({bounds.beyond(name, low=False)}) FROM {table}""",
    )
    low = None if below > HABIT * values else bounds.low
    high = None if above > HABIT * values else bounds.high
    kept = Bounds(bounds.scale, low, high)
    examples = con.execute(
        f"""SELECT {column}, "row" FROM {table} WHERE {finite} AND {kept.beyond(name)}
        ORDER BY abs({column}) DESC, "row" LIMIT {_SHOWN}"""
    ).fetchall()
    return {
        "outliers": (0 if low is None else below) + (0 if high is None else above),
        "low": low,
        "high": high,
        "scale": bounds.scale,
        "lowest": lowest,
        "highest": highest,
        "examples": [{"value": value, "row": row} for value, row in examples],
    }
