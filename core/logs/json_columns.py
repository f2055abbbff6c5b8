"""JSON objects as rows: a column per key, and `user.id` for what is nested."""

from pathlib import Path

import duckdb

from core.errors import BadInput
from core.logs.columns import MOST_COLUMNS, select_cells, unique_names
from core.logs.engine import file_literal, literal
from core.logs.json_lists import part_events
from core.logs.sources import ACCEPTED

_DEEPEST = 5  # keys on the way to a value; what is nested deeper stays JSON text

Keys = tuple[str, ...]  # the way from the object to a value


def load_elements(con: duckdb.DuckDBPyConnection, names: list[str], staged: list[Path]) -> None:
    """Create the table `lines` from the elements staged of each file."""
    con.execute(
        """CREATE TABLE lines
        ("@row" BIGINT, "@file" VARCHAR, "@line" BIGINT, "@text" VARCHAR, "@refused" VARCHAR)"""
    )
    for name, file in zip(names, staged, strict=True):
        con.execute(
            f"""INSERT INTO lines
            SELECT (SELECT count(*) FROM lines) + file_row_number + 1,
                {literal(name) if len(staged) > 1 else "NULL"}, line, "text", NULL
            FROM read_parquet({file_literal(file)}, file_row_number = true)"""
        )


def create_view_of_json(con: duckdb.DuckDBPyConnection, each: str | None) -> list[str]:
    """Create `source` from the table `lines`; `each` names a list whose elements are the events.

    Raises
    ------
    BadInput
        If no line is a JSON object, or none has that list.
    """
    if each is not None:
        part_events(con, each)
    con.execute(
        """CREATE VIEW objects AS SELECT "@row", "@text" FROM lines
        WHERE "@refused" IS NULL AND json_valid("@text") AND json_type("@text") = 'OBJECT'"""
    )
    found = _find_keys(con, ())
    if not found:
        raise BadInput(f"Nothing in the file is a JSON object with a value. {ACCEPTED}.")
    columns = unique_names([".".join(keys) for keys in found])
    paths = ", ".join(map(_pointer, found))
    con.execute(
        f"""CREATE VIEW source AS
        SELECT "@row", "@file", "@line", "@text", "@refused", {select_cells(columns)} FROM (
            SELECT *, CASE WHEN "@refused" IS NULL
                THEN list_transform(json_extract_string("@text", [{paths}]),
                                    lambda x: value_of(x)) END AS cells
            FROM (SELECT * REPLACE (coalesce("@refused", CASE
                    WHEN NOT json_valid("@text") THEN 'not valid JSON'
                    WHEN json_type("@text") <> 'OBJECT' THEN 'not a JSON object' END) AS "@refused")
                FROM lines))"""
    )
    return columns


def _find_keys(con: duckdb.DuckDBPyConnection, above: Keys) -> list[Keys]:
    """Return the ways to all values below `above`, in the order in which they first appear."""
    below: list[Keys] = [(*above, key) for key in _keys_of(con, above)]
    found: list[Keys] = []
    for keys, (is_object, is_value) in zip(below, _kinds_of(con, below), strict=True):
        nested = _find_keys(con, keys) if is_object and len(keys) < _DEEPEST else []
        if is_value or not nested:
            found.append(keys)
        found.extend(nested)
        if len(found) > MOST_COLUMNS:
            break
    return found


def _keys_of(con: duckdb.DuckDBPyConnection, above: Keys) -> list[str]:
    rows = con.execute(
        f"""SELECT keys[place] AS key FROM (
            SELECT *, unnest(range(1, len(keys) + 1)) AS place FROM (
                SELECT json_keys("@text", {_pointer(above)}) AS keys, min("@row") AS first
                FROM objects GROUP BY keys))
        GROUP BY key ORDER BY min((first, place)) LIMIT {MOST_COLUMNS + 1}"""
    ).fetchall()
    return [key for (key,) in rows]


def _kinds_of(con: duckdb.DuckDBPyConnection, keys: list[Keys]) -> list[tuple[bool, bool]]:
    """Tell of each whether some row has an object there, and whether some has another value."""
    if not keys:
        return []
    kinds = ", ".join(
        f"bool_or(kinds[{n}] = 'OBJECT'), bool_or(kinds[{n}] NOT IN ('OBJECT', 'NULL'))"
        for n in range(1, len(keys) + 1)
    )
    row = con.execute(
        f"""SELECT {kinds} FROM (
            SELECT json_type("@text", [{", ".join(map(_pointer, keys))}]) AS kinds FROM objects)"""
    ).fetchone()
    assert row is not None
    return [(bool(row[n]), bool(row[n + 1])) for n in range(0, len(row), 2)]


def _pointer(keys: Keys) -> str:
    """Return the JSON pointer to a value, as SQL."""
    return literal("".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys))
