"""What there is to know about a log before it is trusted."""

from typing import Any, Literal

import duckdb

from core.logs.clock import measure_clock
from core.logs.engine import one_row, quoted
from core.logs.events import Counts
from core.logs.folding import measure_vocabulary
from core.logs.mapping import Mapping, event_columns
from core.logs.notes import notes_of
from core.logs.outliers import measure_outliers, numeric_sources
from core.logs.privacy import count_masked, is_private

_QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
_HEAVIEST = 10
_MOST_ACTIONS = 30
_REJECTED_SHOWN = 20
_LONGEST_EXAMPLE = 40  # characters of a value
_LONGEST_SHOWN = 300  # characters of a rejected row

Quality = dict[str, Any]


def measure_quality(
    con: duckdb.DuckDBPyConnection, mapping: Mapping, counts: Counts, filled: dict[str, int]
) -> Quality:
    """Return what the table `accepted` tells, ready for JSON; `complete_quality` adds the rest.

    Parameters
    ----------
    filled
        What `impute` filled in: column of the file -> values.
    """
    table, accepted = "accepted", counts.accepted
    names = event_columns(mapping)
    missing, undecodable = _scan(con, names, table)
    return {
        "read": counts.read,
        "accepted": accepted,
        "rejected": counts.rejected,
        "duplicate": counts.duplicate,
        "rejected_by_reason": counts.reasons,
        "rejected_rows": _rejected(con),
        "missing": {
            source: round((number + filled.get(source, 0)) / accepted, 4)
            for source, number in missing.items()
        },
        "filled": {
            source: {"by": by, "values": filled[source]} for source, by in mapping.impute.items()
        },
        "unread": _unread(con, mapping),
        "masked": count_masked(con, mapping, table),
        "order": "time" if mapping.roles.time else "row",
        **measure_clock(con, table),
        "outliers": measure_outliers(con, numeric_sources(mapping, names), table, accepted),
        "actions": _actions(con, table),
        "vocabulary": measure_vocabulary(con, mapping, names, table, accepted),
        "undecodable": undecodable,
    }


def complete_quality(
    con: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    quality: Quality,
    repeats: dict[str, Any],
    sequences: str,
    *,
    rows: Literal["all", "first", "whole"],
) -> Quality:
    """Return the whole report, with notes in words.

    Parameters
    ----------
    repeats
        As `measure_repeats` tells.
    sequences
        SQL of a table with a row per sequence: actor_id and events.
    rows
        Which rows of the log the report is about: all that were imported, or those of a look, which
        may be all there are.
    """
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE lengths AS
        SELECT actor_id, events::BIGINT AS events FROM {sequences}"""
    )
    lengths = {**_actors(con, quality["accepted"]), **_lengths(con, mapping)}
    report = {"rows": rows, **quality, "repeats": repeats, **lengths}
    return {**report, "notes": notes_of(report)}


def _scan(
    con: duckdb.DuckDBPyConnection, names: dict[str, str], table: str
) -> tuple[dict[str, int], int]:
    """Count the events without a value, by column, and those with unreadable characters."""
    described = con.execute(f"DESCRIBE {table}").fetchall()
    texts = {row[0] for row in described if row[1] == "VARCHAR"} & {"actor_id", *names.values()}
    broken = " OR ".join(f"contains({quoted(name)}, chr(65533))" for name in sorted(texts))
    filled = "".join(f", count(*) - count({quoted(name)})" for name in names.values())
    undecodable, *missing = one_row(con, f"SELECT count(*) FILTER ({broken}){filled} FROM {table}")
    return dict(zip(names, missing, strict=True)), undecodable


def _rejected(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return the first rejected rows; all of them are stored with the data set."""
    rows = con.execute(
        f"""SELECT line, concat_ws(' in ', reason, file), left(raw, {_LONGEST_SHOWN})
        FROM rejected LIMIT {_REJECTED_SHOWN}"""
    ).fetchall()
    return [{"line": line, "reason": reason, "raw": raw} for line, reason, raw in rows]


def _unread(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> dict[str, Any]:
    """Return how many values are there but are no numbers, by column of the file."""
    example = 'arg_min(value, "row")'
    example = f"mask({example})" if is_private(mapping) else example
    rows = con.execute(
        f"""SELECT name, sum(times)::BIGINT, left({example}, {_LONGEST_EXAMPLE})
        FROM unread GROUP BY name ORDER BY 2 DESC, 1"""
    ).fetchall()
    return {name: {"values": values, "example": example} for name, values, example in rows}


def _actors(con: duckdb.DuckDBPyConnection, accepted: int) -> dict[str, Any]:
    con.execute(
        """CREATE OR REPLACE TEMP TABLE actors AS
        SELECT actor_id, sum(events)::BIGINT AS events FROM lengths GROUP BY actor_id"""
    )
    actors, single = one_row(con, "SELECT count(*), count(*) FILTER (events = 1) FROM actors")
    heaviest = con.execute(
        f"SELECT actor_id, events FROM actors ORDER BY events DESC, actor_id LIMIT {_HEAVIEST}"
    ).fetchall()
    return {
        "actors": actors,
        "single_event_actors": single,
        "heaviest_actors": [
            {"actor_id": actor, "events": events, "share": round(events / accepted, 4)}
            for actor, events in heaviest
        ],
    }


def _lengths(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> dict[str, Any]:
    """Return how long sequences are; `sequences_up_to` counts them in doubling buckets."""
    sequences, quantiles, full = one_row(
        con,
        f"""SELECT count(*), quantile_disc(events, {list(_QUANTILES)}),
            count(*) FILTER (events = {mapping.sequence.max_events}) FROM lengths""",
    )
    buckets = con.execute(
        """SELECT (2 ** ceil(log2(events)))::BIGINT AS most, count(*) FROM lengths
        GROUP BY most ORDER BY most"""
    ).fetchall()
    return {
        "sequences": sequences,
        "sequence_length": {
            f"{share:.0%}": length for share, length in zip(_QUANTILES, quantiles, strict=True)
        },
        "sequences_up_to": {str(most): number for most, number in buckets},
        "split_share": round(full / sequences, 4),
    }


def _actions(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, int]:
    rows = con.execute(
        f"""SELECT coalesce(action, 'missing'), count(*) FROM {table} GROUP BY action
        ORDER BY 2 DESC, 1 LIMIT {_MOST_ACTIONS}"""
    ).fetchall()
    return dict(rows)
