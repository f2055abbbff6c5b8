"""What lowers the trust in a sequence's score: stored beside it, said in words, never a token."""

from typing import Any, Final

import pandas as pd

from core.logs.engine import quoted
from core.logs.mapping import Mapping, event_columns
from core.logs.outliers import outlier_condition
from core.schema import Column, Trust

USUALLY_MISSING: Final = 0.1  # a column that lacks more of its values says nothing by lacking one
OUT_OF_ORDER: Final = 0.05  # a log with more late rows is simply not written in time order

_PHRASES: Final = {  # a verb, and what follows it
    Trust.REPEATED: ("equal", "an earlier one in every column"),
    Trust.MISSING: ("lack", "a value that the log nearly always has"),
    Trust.OUTLIERS: ("hold", "a number far outside the usual"),
    Trust.LATE: ("stand", "in the file after newer ones"),
}


def doubts(mapping: Mapping, quality: dict[str, Any]) -> dict[str, str]:
    """Return for each column of `Trust` that counts events the SQL condition of one that counts.

    It speaks of an event joined with `late`, `repeats` and `filled`, which `measure_quality`,
    `measure_repeats` and `impute` leave.
    """
    return {
        Trust.MISSING: _missing(mapping, quality),
        Trust.LATE: 'late."row" IS NOT NULL' if _in_order(quality) else "false",
        Trust.REPEATED: 'repeats."row" IS NOT NULL',
        Trust.OUTLIERS: outlier_condition(quality, event_columns(mapping)),
    }


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
    share = quality["clock"]["out_of_order_share"]
    return share is not None and share <= OUT_OF_ORDER


def _missing(mapping: Mapping, quality: dict[str, Any]) -> str:
    """Return the condition that an event lacks a value of a column that hardly lacks any."""
    names = event_columns(mapping)
    lacking = [
        f"{quoted(names[source])} IS NULL"
        for source, share in quality["missing"].items()
        if share <= USUALLY_MISSING
    ]
    return " OR ".join([*lacking, 'filled."row" IS NOT NULL'])
