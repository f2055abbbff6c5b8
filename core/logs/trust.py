"""What lowers the trust in a sequence's score: stored beside it, said in words, never a token."""

from typing import Any, Final

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from core.logs.engine import to_arrow
from core.logs.mapping import Mapping, event_columns
from core.logs.ordered import Flags
from core.logs.outliers import hold_outliers
from core.logs.sequencing import Loaded
from core.schema import Column, Trust

USUALLY_MISSING: Final = 0.1  # a column that lacks more of its values says nothing by lacking one
OUT_OF_ORDER: Final = 0.05  # a log with more late rows is simply not written in time order

_PHRASES: Final = {  # a verb, and what follows it
    Trust.REPEATED: ("equal", "an earlier one in every column"),
    Trust.MISSING: ("lack", "a value that the log nearly always has"),
    Trust.OUTLIERS: ("hold", "a number far outside the usual"),
    Trust.LATE: ("stand", "in the file after newer ones"),
}


def doubtful(
    con: duckdb.DuckDBPyConnection,
    loaded: Loaded,
    mapping: Mapping,
    quality: dict[str, Any],
    repeats: Flags,
) -> dict[str, Flags]:
    """Tell for each column of `Trust` that counts events which of a part's count, (N,).

    Needs the tables `late` and `filled`, which `measure_quality` and `impute` leave.
    """
    filled = _rows(con, "filled", loaded)
    late = _rows(con, "late", loaded) if _in_order(quality) else np.zeros_like(filled)
    return {
        Trust.MISSING: _missing(loaded.table, mapping, quality) | filled,
        Trust.LATE: late,
        Trust.REPEATED: repeats,
        Trust.OUTLIERS: hold_outliers(quality, event_columns(mapping), loaded.events),
    }


def _rows(con: duckdb.DuckDBPyConnection, table: str, loaded: Loaded) -> Flags:
    """Tell the events of a part whose rows are in a table."""
    own = f'SELECT "row" FROM accepted WHERE {loaded.part.condition}'
    found = to_arrow(con, f'SELECT "row" FROM {table} WHERE "row" IN ({own})')
    return np.isin(loaded.table[Column.ROW].to_numpy(), found["row"].to_numpy())


def low_trust(sequence: "pd.Series[Any]") -> list[str]:
    """Say in plain words what lowers the trust in a sequence's score; often nothing."""
    events = int(sequence[Column.EVENTS])
    said = ["it has a single event"] if events == 1 else []
    for name, (verb, rest) in _PHRASES.items():
        if number := int(sequence.get(name, 0)):  # an older data set does not have it
            said.append(f"{number} of {events} events {verb}{'s' * (number == 1)} {rest}")
    if sequence.get(Trust.CUT, False):
        said.append("it is one part of a longer sequence")
    return said


def _in_order(quality: dict[str, Any]) -> bool:
    """Tell whether a log is written in the order of time, but for a few rows."""
    share = quality["clock"]["out_of_order_share"]
    return share is not None and share <= OUT_OF_ORDER


def _missing(table: pa.Table, mapping: Mapping, quality: dict[str, Any]) -> Flags:
    """Tell the events that lack a value of a column that hardly lacks any."""
    names = event_columns(mapping)
    found = np.zeros(len(table), dtype=bool)
    for source, share in quality["missing"].items():
        if share <= USUALLY_MISSING:
            found |= table[names[source]].is_null().to_numpy()
    return found
