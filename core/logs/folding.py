"""How many values the columns of words have, and how many events a model would see as `other`."""

from typing import Any

import duckdb

from core.logs.engine import one_row, quoted
from core.logs.mapping import Mapping
from core.schema import MAX_VALUES, MIN_COUNT

# Entities other than the item are told apart within their sequence: none of them folds.
_FOLDS = {"action": "category", "categorical": "category", "item": "entity"}


def measure_vocabulary(
    con: duckdb.DuckDBPyConnection, mapping: Mapping, names: dict[str, str], table: str, events: int
) -> dict[str, Any]:
    """Return values, kept values and share of events folded to `other`, by column of the file.

    Parameters
    ----------
    names
        Name in the file -> name in `table`.
    """
    roles = mapping.roles.taken()
    kinds = {source: roles.get(source) or mapping.columns[source] for source in names}
    return {
        source: _folded(con, names[source], _FOLDS[kind], table, events)
        if kind in _FOLDS
        else _told_apart(con, names[source], table)
        for source, kind in kinds.items()
        if kind in _FOLDS or kind in ("entity", "personal")
    }


def _folded(
    con: duckdb.DuckDBPyConnection, name: str, kind: str, table: str, events: int
) -> dict[str, Any]:
    column = quoted(name)
    values, filled, kept, known = one_row(
        con,
        f"""WITH counted AS MATERIALIZED (
            SELECT count(*) AS times FROM {table} WHERE {column} IS NOT NULL GROUP BY {column}),
        kept AS (SELECT times FROM counted WHERE times >= {MIN_COUNT[kind]}
            ORDER BY times DESC LIMIT {MAX_VALUES[kind]})
        SELECT count(*), coalesce(sum(times), 0)::BIGINT, (SELECT count(*) FROM kept),
            (SELECT coalesce(sum(times), 0)::BIGINT FROM kept) FROM counted""",
    )
    return {"values": values, "kept": kept, "other_share": round((filled - known) / events, 4)}


def _told_apart(con: duckdb.DuckDBPyConnection, name: str, table: str) -> dict[str, Any]:
    """Return about how many values there are; counting them exactly would double the work."""
    (values,) = one_row(con, f"SELECT approx_count_distinct({quoted(name)}) FROM {table}")
    return {"values": values, "kept": None, "other_share": None}
