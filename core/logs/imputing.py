"""Missing numbers filled where the analyst asks for it; otherwise missing stays a token."""

import duckdb

from core.logs.engine import one_row, quoted
from core.logs.mapping import Mapping, canonical_names
from core.schema import Column


def impute(con: duckdb.DuckDBPyConnection, mapping: Mapping, table: str) -> dict[str, int]:
    """Fill missing numbers of `table` as the mapping says: column of the file -> values filled.

    Leaves the table `filled`: the rows that got a number nobody wrote.
    """
    con.execute('CREATE OR REPLACE TABLE filled ("row" BIGINT)')
    names = canonical_names(mapping)
    if mapping.roles.amount:
        names[mapping.roles.amount] = Column.AMOUNT
    return {source: _fill(con, names[source], by, table) for source, by in mapping.impute.items()}


def _fill(con: duckdb.DuckDBPyConnection, name: str, by: str, table: str) -> int:
    column = quoted(name)
    missing, usual = one_row(
        con, f"SELECT count(*) FILTER ({column} IS NULL), median({column}) FROM {table}"
    )
    if usual is None:
        return 0
    con.execute(f'INSERT INTO filled SELECT "row" FROM {table} WHERE {column} IS NULL')
    if by == "item_median":
        con.execute(
            f"""UPDATE {table} SET {column} = "@usual" FROM (
                SELECT item AS "@item", median({column}) AS "@usual" FROM {table} GROUP BY item)
            WHERE item = "@item" AND {column} IS NULL"""
        )
    con.execute(f"UPDATE {table} SET {column} = '{usual}'::DOUBLE WHERE {column} IS NULL")
    return int(missing)
