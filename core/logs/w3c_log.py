"""Access logs in the W3C extended format, as IIS and CloudFront write them.

The names of the columns stand behind `#Fields:`; other lines that begin with `#` are no events
(https://www.w3.org/TR/WD-logfile.html).
"""

import duckdb

from core.logs.columns import select_cells, unique_names
from core.logs.engine import literal

_FIELDS = "#Fields:"
_LOOK = 50  # lines
_RENAMED = {"c-ip": "client-ip", "s-ip": "server-ip"}  # else nobody could tell who acts


def is_w3c_log(lines: list[str]) -> bool:
    """Tell whether one of the first lines names the fields."""
    return any(line.startswith(_FIELDS) for line in lines[:_LOOK])


def create_view_of_w3c(con: duckdb.DuckDBPyConnection, lines: list[str]) -> list[str]:
    """Create `source` from the table `lines`; `lines` here are the first ones, for a look."""
    named = next(line for line in lines if line.startswith(_FIELDS))
    fields = named.removeprefix(_FIELDS).split()
    columns = unique_names([_RENAMED.get(field, field) for field in fields])
    delimiter = "\t" if any("\t" in line for line in lines if not line.startswith("#")) else " "
    con.execute(
        """CREATE OR REPLACE TABLE lines AS
        SELECT * REPLACE (row_number() OVER (ORDER BY "@row") AS "@row") FROM lines
        WHERE NOT starts_with("@text", '#')"""
    )
    con.execute(
        f"""CREATE VIEW source AS SELECT "@row", "@file", "@line", "@text",
            coalesce("@refused", CASE WHEN len(cells) <> {len(columns)}
                THEN len(cells) || ' fields instead of {len(columns)}' END) AS "@refused",
            {select_cells(columns)}
        FROM (SELECT *, list_transform(string_split(trim("@text"), {literal(delimiter)}),
            lambda x: CASE WHEN x <> '-' THEN value_of(x) END) AS cells FROM lines)"""
    )
    return columns
