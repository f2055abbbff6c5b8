"""The view `sequences`: a row per sequence with its profile and what lowers the trust in it."""

from collections.abc import Sequence

import duckdb

from core.logs.companions import companion_facts
from core.logs.engine import in_parallel, quoted
from core.logs.events import BUCKETS
from core.logs.fact import numeric_columns
from core.logs.mapping import Mapping
from core.logs.profiles import PATTERN, profile_facts, with_hours
from core.logs.sequencing import Part
from core.schema import Column, Trust

# A sequence that is not cut by session can span several: then it has none.
_SESSION = """CASE WHEN count(session_id) = count(*) AND min(session_id) = max(session_id)
    THEN min(session_id) END"""


def create_edges(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> None:
    """Create `edges`: the lowest and the highest value of each numeric column of the log."""
    cells = [
        f"{side}({quoted(name)}) AS {quoted(f'{side}_{name}')}"
        for name in numeric_columns(mapping)
        for side in ("min", "max")
    ]
    con.execute(f"CREATE TABLE edges AS SELECT {', '.join(cells) or 'NULL'} FROM accepted")


def summarise_part(
    con: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    actions: Sequence[str],
    doubts: dict[str, str],
    part: Part,
) -> None:
    """Create `profiles_N` of the temporary tables `events`, `pieces` and `repeats` of part N.

    Parameters
    ----------
    doubts
        Column of `Trust` -> SQL condition that an event lowers the trust.
    """
    later = {"pattern_count", *(fact.name for fact in companion_facts(mapping))}
    facts = [fact for fact in profile_facts(mapping, actions) if fact.name not in later]
    cells = [f"CAST({fact.sql} AS DOUBLE) AS {quoted(fact.name)}" for fact in facts]
    cells += [f"count(*) FILTER ({mark})::INTEGER AS {name}" for name, mark in doubts.items()]
    source = with_hours(mapping, "events", '"@sequence"')
    con.execute(
        f"""CREATE OR REPLACE TABLE profiles_{part.number} AS
        SELECT profile.*, sequence_id, actor_id, was_cut AS {Trust.CUT},
            {part.number} AS "partition"
        FROM (SELECT "@sequence", {_SESSION} AS session_id, min(ts) AS first_ts,
                max(ts) AS last_ts, sum(amount) AS amount, coalesce({PATTERN}, 0) AS "@pattern",
                {", ".join(cells)}
            FROM {source} LEFT JOIN late USING ("row") LEFT JOIN repeats USING ("row")
                LEFT JOIN (SELECT DISTINCT "row" FROM filled) AS filled USING ("row")
            GROUP BY "@sequence") AS profile JOIN pieces USING ("@sequence")"""
    )


def create_sequences(
    con: duckdb.DuckDBPyConnection, mapping: Mapping, actions: Sequence[str], parts: Sequence[Part]
) -> None:
    """Create the view `sequences` of `companions` and the tables `profiles_N` of all parts.

    It lies in the order of the parts: sorting all would take memory that grows with the log.
    """
    patterns = " UNION ALL ".join(
        f'SELECT "@pattern" FROM profiles_{part.number}' for part in parts
    )
    con.execute(
        f"""CREATE TABLE patterns AS SELECT "@pattern", count(*) AS alike FROM ({patterns})
        GROUP BY "@pattern" """
    )
    alike = {"pattern_count": "CAST(alike - 1 AS DOUBLE)", Column.EVENTS: "CAST(events AS BIGINT)"}
    alike |= {fact.name: f"CAST({fact.sql} AS DOUBLE)" for fact in companion_facts(mapping)}
    names = [fact.name for fact in profile_facts(mapping, actions) if fact.name != Column.EVENTS]
    columns = [
        *("sequence_id", "actor_id", "session_id", "first_ts", "last_ts", "events", "amount"),
        *("partition", *names, *Trust.COLUMNS),
    ]
    cells = ", ".join(f"{alike.get(name, quoted(name))} AS {quoted(name)}" for name in columns)

    def complete(own: duckdb.DuckDBPyConnection, part: Part) -> None:
        own.execute(
            f"""CREATE OR REPLACE TABLE sequences_{part.number} AS
            SELECT {cells} FROM profiles_{part.number} JOIN patterns USING ("@pattern") LEFT JOIN (
                FROM (SELECT *, actor % {BUCKETS} AS "@bucket" FROM companions)
                WHERE {part.condition}) AS companions ON companions.actor = hash(actor_id)
            ORDER BY "@sequence" """
        )

    in_parallel(con, complete, parts)
    whole = " UNION ALL ".join(f"FROM sequences_{part.number}" for part in parts)
    con.execute(f"CREATE VIEW sequences AS {whole}")
