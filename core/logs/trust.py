"""What lowers the trust in a sequence's score: stored beside it, said in words, never a token."""

from typing import Any, Final

import duckdb
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


def add_trust(con: duckdb.DuckDBPyConnection, mapping: Mapping, quality: dict[str, Any]) -> None:
    """Add the columns of `Trust` to the table `sequences`.

    Reads the table `events`, and `late`, `repeats` and `filled`, which `measure_quality` and
    `impute` leave.
    """
    marks = {
        Trust.MISSING: _missing(mapping, quality),
        Trust.LATE: 'late."row" IS NOT NULL' if _in_order(quality) else "false",
        Trust.REPEATED: 'repeats."row" IS NOT NULL',
        Trust.OUTLIERS: outlier_condition(quality, event_columns(mapping)),
    }
    counts = ", ".join(f"count(*) FILTER ({mark}) AS {name}" for name, mark in marks.items())
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE doubts AS
        SELECT sequence_id AS doubted, {counts} FROM events
        LEFT JOIN late USING ("row") LEFT JOIN repeats USING ("row")
        LEFT JOIN (SELECT DISTINCT "row" FROM filled) AS filled USING ("row")
        WHERE {" OR ".join(f"({mark})" for mark in marks.values())} GROUP BY sequence_id"""
    )
    # Few sequences are doubted, and their table is wide: it is not written anew.
    for name in marks:
        con.execute(f"ALTER TABLE sequences ADD COLUMN {name} INTEGER DEFAULT 0")
    found = ", ".join(f"{name} = doubts.{name}" for name in marks)
    con.execute(f"UPDATE sequences SET {found} FROM doubts WHERE sequence_id = doubted")
    con.execute(f"ALTER TABLE sequences ADD COLUMN {Trust.CUT} BOOLEAN DEFAULT false")
    con.execute(
        f"""UPDATE sequences SET {Trust.CUT} = true WHERE sequence_id IN (
            SELECT sequence_id FROM pieces WHERE "group" IN (
                SELECT "group" FROM pieces WHERE piece > 0))"""
    )


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
