"""Numbers as logs write them: which sign parts the decimals is decided once per column."""

import duckdb

from core.logs.engine import literal, one_row, quoted


def decimal_comma(con: duckdb.DuckDBPyConnection, column: str) -> bool:
    """Tell whether a column writes 12,50 for twelve and a half, by what can be read in one way.

    Looks at the table `sample`, and at all of `source` where that leaves it open: 1,999 alone is
    taken for a thousand and more.
    """
    x = quoted(column)
    if not con.execute(f"FROM sample WHERE contains({x}, ',') LIMIT 1").fetchone():
        return False
    for table in ("sample", "source"):
        point, comma = one_row(
            con,
            f"""SELECT count(*) FILTER ({_tells(".", ",")}), count(*) FILTER ({_tells(",", ".")})
            FROM (SELECT bare_number({x}) AS bare FROM {table})""",
        )
        if point != comma:
            return bool(comma > point)
    return False


def as_number(column: str, *, comma: bool) -> str:
    """Return SQL that reads the text of a column as a number, or as null."""
    x = quoted(column)
    return f"number_of(translate({x}, ',.', '.,'))" if comma else f"number_of({x})"


def _tells(decimal: str, thousands: str) -> str:
    """Return the condition that a number can only be read with this decimal sign."""
    d, t = f"[{decimal}]", f"[{thousands}]"
    ways = (
        rf"\d{{1,3}}({t}\d{{3}})+{d}\d+",
        rf"\d{{1,3}}({t}\d{{3}}){{2,}}",
        rf"(0|\d{{4,}})?{d}\d+",
        rf"\d+{d}(\d{{1,2}}|\d{{4,}})",
    )
    either = "|".join(ways)
    return f"regexp_full_match(bare, {literal(f'[-+]?({either})')})"
