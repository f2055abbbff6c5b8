"""A log's clock: what happened when, where it falls silent, whether its rows come in order."""

from datetime import datetime
from typing import Any, Final

import duckdb

from core.logs.engine import one_row
from core.logs.over_time import step_for

JUMP: Final = 60  # seconds back from one row to the next; servers' clocks differ by less
SILENCE: Final = 3  # a gap is this many times the longest pause of a usual day
_FINE = 250  # slots in which gaps are looked for, per bar of the picture
_UNITS = ("day", "hour", "minute")
_FEWEST = 5  # days (hours, minutes) before one can be called usual
_SHOWN = 5  # gaps
# A Monday, so that weeks begin with one. What lies before it, or after now, is no time of a log.
_ORIGIN = "TIMESTAMP '1990-01-01'"
_NOW = "(now() AT TIME ZONE 'UTC')"
_PLAUSIBLE = f"ts BETWEEN {_ORIGIN} AND {_NOW}"


def measure_clock(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, Any]:
    """Return what the times of the events in `table` say; all None or empty without a time.

    Leaves the table `late`: the rows that are older than one above them in the file.
    """
    first, last, timed, before, after, start, seconds = one_row(
        con,
        f"""SELECT min(ts), max(ts), count(ts),
            count(*) FILTER (ts < {_ORIGIN}), count(*) FILTER (ts > {_NOW}),
            min(ts) FILTER ({_PLAUSIBLE}),
            epoch(max(ts) FILTER ({_PLAUSIBLE}) - min(ts) FILTER ({_PLAUSIBLE})) FROM {table}""",
    )
    step = step_for(seconds or 0.0)
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE pace AS SELECT min(ts) AS first, max(ts) AS last,
            count(*) AS events, (epoch_us(ts) - epoch_us({_ORIGIN})) // {step * 1_000_000 // _FINE}
                // {_FINE} AS bar,
        FROM {table} WHERE {_PLAUSIBLE}
        GROUP BY (epoch_us(ts) - epoch_us({_ORIGIN})) // {step * 1_000_000 // _FINE}"""
    )
    return {
        "first_ts": _iso(first),
        "last_ts": _iso(last),
        "days": None if first is None else round((last - first).total_seconds() / 86400, 2),
        "events_over_time": _over_time(con, step) if start else None,
        "gaps": _gaps(con, step) if start else None,
        "clock": {**_order(con, table, timed), "before_1990": before, "in_the_future": after},
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _over_time(con: duckdb.DuckDBPyConnection, step: int) -> dict[str, Any]:
    """Count events by intervals of `step` seconds; those without any are left out."""
    counted = con.execute(
        f"""SELECT {_ORIGIN} + to_seconds(bar * {step}), sum(events)::BIGINT FROM pace
        GROUP BY bar ORDER BY bar"""
    ).fetchall()
    return {"seconds": step, "events": [[_iso(moment), events] for moment, events in counted]}


def _gaps(con: duckdb.DuckDBPyConnection, step: int) -> dict[str, Any]:
    """Find the stretches without any event that are long even for this log.

    Usual is the longest pause of a day (of an hour or a minute in a short log), at its upper
    quartile: nights and quiet days do not count as gaps, and a single outage moves nothing.
    """
    con.execute(
        """CREATE OR REPLACE TEMP TABLE pauses AS SELECT * FROM (
            SELECT last AS start, lead(first) OVER (ORDER BY first) AS stop,
                epoch(stop - start) AS seconds FROM pace) WHERE stop IS NOT NULL"""
    )
    usual = next((found for unit in _UNITS if (found := _usual_pause(con, unit))), None)
    # Shorter pauses can hide within one slot, so they are not known to be unusual.
    least = max(SILENCE * usual, 2 * step / _FINE) if usual else float("inf")
    long = con.execute(
        f"""SELECT start, stop, seconds, count(*) OVER () FROM pauses
        WHERE seconds > ? ORDER BY seconds DESC, start LIMIT {_SHOWN}""",
        [least],
    ).fetchall()
    return {
        "found": long[0][3] if long else 0,
        "usual_seconds": usual,
        "longest": [
            {"from": _iso(start), "to": _iso(stop), "seconds": seconds}
            for start, stop, seconds, _ in long
        ],
    }


def _usual_pause(con: duckdb.DuckDBPyConnection, unit: str) -> float | None:
    """Return the upper quartile of the longest pauses by `unit`, if there are enough of them."""
    usual: float | None = one_row(
        con,
        f"""SELECT CASE WHEN count(*) >= {_FEWEST} THEN quantile_disc(longest, 0.75) END
        FROM (SELECT max(seconds) AS longest FROM pauses GROUP BY date_trunc('{unit}', start))""",
    )[0]
    return usual


def _order(con: duckdb.DuckDBPyConnection, table: str, timed: int) -> dict[str, Any]:
    """Compare the order of the rows in the file with their times."""
    # Sorted first, the running maximum streams: a window with an order of its own is far slower.
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE ordered AS
        SELECT "row", ts FROM {table} WHERE ts IS NOT NULL ORDER BY "row" """
    )
    con.execute(
        """CREATE OR REPLACE TABLE late AS SELECT "row", epoch(before - ts) AS "@back" FROM (
            SELECT *, lag(ts) OVER () AS before, max(ts) OVER (ROWS UNBOUNDED PRECEDING) AS newest
            FROM ordered) WHERE ts < newest"""
    )
    con.execute("DROP TABLE ordered")
    late, jumps, largest, row = one_row(
        con,
        f"""SELECT count(*), count(*) FILTER ("@back" > {JUMP}),
            max("@back") FILTER ("@back" > {JUMP}),
            arg_max("row", "@back") FILTER ("@back" > {JUMP}) FROM late""",
    )
    return {
        "out_of_order": late,
        "out_of_order_share": round(late / timed, 4) if timed else None,
        "jumps": jumps,
        "largest_jump_seconds": largest,
        "largest_jump_row": row,
    }
