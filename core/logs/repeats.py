"""Events that equal an earlier one: told by a hash of all that is kept of them."""

from collections.abc import Iterable
from typing import Any

import duckdb

from core.logs.engine import one_row, quoted
from core.logs.mapping import Mapping, extra_columns
from core.schema import Column

_SHOWN = 5  # bursts
_OWN = (Column.ACTOR, Column.SESSION, Column.EVENT_ID, Column.TIME, Column.ACTION, Column.ITEM,
        Column.AMOUNT)  # fmt: skip


def content_columns(mapping: Mapping) -> list[str]:
    """Return the columns in which events that repeat are equal."""
    return [*_OWN, *extra_columns(mapping)]


def measure_repeats(con: duckdb.DuckDBPyConnection, mapping: Mapping, table: str) -> dict[str, Any]:
    """Count events of `table` that equal an earlier one in every column, time included.

    A burst is an event with its repeats; all of them are of one actor. Leaves the temporary table
    `repeats`: the rows that repeat.
    """
    columns = ", ".join(map(quoted, content_columns(mapping)))
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE contents AS
        SELECT "row", hash({columns}) AS "@content" FROM {table}"""
    )
    con.execute(
        """CREATE OR REPLACE TEMP TABLE bursts AS
        SELECT "@content", min("row") AS "row", count(*) AS "@times" FROM contents
        GROUP BY "@content" HAVING count(*) > 1"""
    )
    con.execute(
        """CREATE OR REPLACE TEMP TABLE repeats AS SELECT contents."row" FROM contents
        JOIN bursts ON contents."@content" = bursts."@content" AND contents."row" > bursts."row" """
    )
    bursts, events = one_row(
        con, 'SELECT count(*), coalesce(sum("@times" - 1), 0)::BIGINT FROM bursts'
    )
    largest = con.execute(
        f"""SELECT actor_id, ts, "row", "@times" FROM {table} JOIN (
            FROM bursts ORDER BY "@times" DESC, "row" LIMIT {_SHOWN}) USING ("row")
        ORDER BY "@times" DESC, "row" """
    ).fetchall()
    return {
        "events": events,
        "bursts": bursts,
        "largest": [
            {"actor_id": actor, "ts": ts and ts.isoformat(), "row": row, "times": times}
            for actor, ts, row, times in largest
        ],
    }


def add_up(repeats: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the repeats of a log from those of its parts."""
    found = list(repeats)
    largest = [burst for part in found for burst in part["largest"]]
    return {
        "events": sum(part["events"] for part in found),
        "bursts": sum(part["bursts"] for part in found),
        "largest": sorted(largest, key=lambda burst: (-burst["times"], burst["row"]))[:_SHOWN],
    }
