"""Parquet files as `source`, nested ones too: a field of a struct is a column like `user.id`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from core.errors import BadInput
from core.logs.columns import unique_names
from core.logs.engine import file_literal, literal, quoted


def open_parquet(con: duckdb.DuckDBPyConnection, files: list[Path]) -> list[str]:
    """Create `source` from Parquet files and return its columns."""
    reading = " UNION ALL BY NAME ".join(
        f"""SELECT *, row_number() OVER () AS "@line",
            {literal(file.name) if len(files) > 1 else "NULL"} AS "@file"
        FROM read_parquet({file_literal(file)})"""
        for file in files
    )
    try:
        described = con.sql(f'SELECT * EXCLUDE ("@line", "@file") FROM ({reading})')
    except duckdb.Error as error:
        raise BadInput(f"The Parquet file cannot be read ({error}). It may be cut off.") from error
    top = list(zip(described.columns, described.types, strict=True))
    leaves = [leaf for name, kind in top for leaf in _leaves(name, quoted(name), kind)]
    columns = unique_names([name for name, _, _ in leaves])
    cells = ", ".join(
        f"{_as_text(value, kind)} AS {quoted(column)}"
        for column, (_, value, kind) in zip(columns, leaves, strict=True)
    )
    together = ", ".join(f"{quoted(name)} := {quoted(name)}" for name, _ in top)
    con.execute(
        f"""CREATE VIEW source AS SELECT row_number() OVER () AS "@row",
            "@line", "@file",
            CAST(to_json(struct_pack({together})) AS VARCHAR) AS "@text",
            CAST(NULL AS VARCHAR) AS "@refused", {cells}
        FROM ({reading})"""
    )
    return columns


def _leaves(name: str, value: str, kind: Any) -> Iterator[tuple[str, str, str]]:
    """Yield dotted name, SQL and type of every value in a column."""
    if kind.id != "struct":
        yield name, value, str(kind)
        return
    for field, below in kind.children:
        inner = f"struct_extract({value}, {literal(field)})"
        yield from _leaves(f"{name}.{field}", inner, below)


def _as_text(value: str, kind: str) -> str:
    if kind in ("DOUBLE", "FLOAT"):  # identifiers that pandas turned into floats
        whole = f"CAST(CAST({value} AS BIGINT) AS VARCHAR)"
        return (
            f"CASE WHEN {value} = floor({value}) AND abs({value}) < 1e15 THEN {whole} "
            f"ELSE value_of(CAST({value} AS VARCHAR)) END"
        )
    return f"value_of(CAST({value} AS VARCHAR))"
