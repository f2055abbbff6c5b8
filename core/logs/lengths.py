"""How long sequences would be if nothing cut them: what an analyst needs to choose the cut."""

import duckdb

from core.logs.mapping import SequenceRule


def whole_lengths(con: duckdb.DuckDBPyConnection, rule: SequenceRule) -> dict[int, int]:
    """Return events of a sequence -> sequences, before `max_events`; needs the table `cut`."""
    rows = con.execute(
        f"""SELECT events, count(*) FROM (
            SELECT count(*) AS events FROM ({_keyed(rule)}) GROUP BY actor_id, "@key")
        GROUP BY events ORDER BY events"""
    ).fetchall()
    return dict(rows)


def _keyed(rule: SequenceRule) -> str:
    if rule.by == "session":
        return """SELECT actor_id, session_id AS "@key" FROM cut"""
    if rule.by != "gap":
        return """SELECT actor_id, NULL AS "@key" FROM cut"""
    micros = int(rule.gap_minutes * 60_000_000)
    own = 'PARTITION BY actor_id ORDER BY ts, "row"'
    return f"""SELECT actor_id,
            count(*) FILTER (pause > {micros}) OVER ({own} ROWS UNBOUNDED PRECEDING) AS "@key"
        FROM (SELECT actor_id, ts, "row",
                epoch_us(ts) - epoch_us(lag(ts) OVER ({own})) AS pause FROM cut)"""
