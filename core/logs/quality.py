"""What there is to know about a log before it is trusted."""

from typing import Any

import duckdb

from core.logs.engine import quoted
from core.logs.events import Counts
from core.logs.mapping import Mapping, extra_columns

_QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
_HEAVIEST = 10
_MOST_ACTIONS = 30

Quality = dict[str, Any]


def measure_quality(
    con: duckdb.DuckDBPyConnection, mapping: Mapping, counts: Counts, *, table: str = "events"
) -> Quality:
    """Return the quality report of the events in `table`, ready for JSON."""
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE lengths AS
        SELECT sequence_id, actor_id, count(*) AS events FROM {table}
        GROUP BY sequence_id, actor_id"""
    )
    quality: Quality = {
        "read": counts.read,
        "accepted": counts.accepted,
        "rejected": counts.rejected,
        "duplicate": counts.duplicate,
        "repeated": counts.repeated,
        "rejected_by_reason": counts.reasons,
        "missing": _missing(con, mapping, table, counts.accepted),
        "order": "time" if mapping.roles.time else "row",
        **_times(con, table),
        **_actors(con),
        **_lengths(con, mapping),
        "actions": _actions(con, table),
        "undecodable": _undecodable(con, mapping, table),
    }
    con.execute("DROP TABLE lengths")
    quality["notes"] = _notes(quality)
    return quality


def _one(con: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row = con.execute(query).fetchone()
    assert row is not None
    return row


def _mapped(mapping: Mapping) -> dict[str, str]:
    """Return the canonical columns that come from the file, with their source names."""
    names = {"time": "ts", "session": "session_id", "event_id": "event_id"}
    roles = {names.get(role, role): column for column, role in mapping.roles.taken().items()}
    roles.pop("actor")
    return roles | {name: name for name in extra_columns(mapping)}


def _missing(
    con: duckdb.DuckDBPyConnection, mapping: Mapping, table: str, accepted: int
) -> dict[str, float]:
    """Return the share of accepted events without a value, by column of the file."""
    columns = _mapped(mapping)
    if not columns:
        return {}
    counts = ", ".join(f"count({quoted(column)})" for column in columns)
    filled = _one(con, f"SELECT {counts} FROM {table}")
    return {
        source: round(1 - number / accepted, 4)
        for source, number in zip(columns.values(), filled, strict=True)
    }


def _times(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, Any]:
    first, last = _one(con, f"SELECT min(ts), max(ts) FROM {table}")
    if first is None:
        return {"first_ts": None, "last_ts": None, "days": None}
    days = round((last - first).total_seconds() / 86400, 2)
    return {"first_ts": first.isoformat(), "last_ts": last.isoformat(), "days": days}


def _actors(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    con.execute(
        """CREATE OR REPLACE TEMP TABLE actors AS
        SELECT actor_id, sum(events)::BIGINT AS events FROM lengths GROUP BY actor_id"""
    )
    actors, single = _one(con, "SELECT count(*), count(*) FILTER (events = 1) FROM actors")
    heaviest = con.execute(
        f"SELECT actor_id, events FROM actors ORDER BY events DESC, actor_id LIMIT {_HEAVIEST}"
    ).fetchall()
    return {
        "actors": actors,
        "single_event_actors": single,
        "heaviest_actors": [{"actor_id": actor, "events": events} for actor, events in heaviest],
    }


def _lengths(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> dict[str, Any]:
    sequences, quantiles, full = _one(
        con,
        f"""SELECT count(*), quantile_disc(events, {list(_QUANTILES)}),
            count(*) FILTER (events = {mapping.sequence.max_events}) FROM lengths""",
    )
    return {
        "sequences": sequences,
        "sequence_length": {
            f"{share:.0%}": length for share, length in zip(_QUANTILES, quantiles, strict=True)
        },
        "split_share": round(full / sequences, 4),
    }


def _actions(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, int]:
    rows = con.execute(
        f"""SELECT coalesce(action, 'missing'), count(*) FROM {table} GROUP BY action
        ORDER BY 2 DESC, 1 LIMIT {_MOST_ACTIONS}"""
    ).fetchall()
    return dict(rows)


def _undecodable(con: duckdb.DuckDBPyConnection, mapping: Mapping, table: str) -> int:
    """Count events with a character that the encoding could not read."""
    texts = [
        row[0]
        for row in con.execute(f"DESCRIBE {table}").fetchall()
        if row[1] == "VARCHAR" and row[0] in {"actor_id", *_mapped(mapping)}
    ]
    broken = " OR ".join(f"contains({quoted(column)}, chr(65533))" for column in texts)
    number: int = _one(con, f"SELECT count(*) FILTER ({broken}) FROM {table}")[0]
    return number


def _notes(quality: Quality) -> list[str]:
    """Say in plain words what an analyst should know before trusting the log."""
    notes = []
    if quality["order"] == "row":
        notes.append(
            "No column holds a time: the order of rows within an actor is taken as the order of "
            "events, and facts about others use the whole log."
        )
    if quality["repeated"]:
        notes.append(f"{quality['repeated']} rows repeat an earlier row; they are kept.")
    if quality["duplicate"]:
        notes.append(f"{quality['duplicate']} rows were left out as duplicates.")
    if quality["undecodable"]:
        notes.append(f"{quality['undecodable']} events hold characters that could not be read.")
    if quality["single_event_actors"] > quality["actors"] / 2:
        notes.append(
            f"{quality['single_event_actors']} of {quality['actors']} actors have one event only."
        )
    return notes
