"""Parquet files as `source`, nested ones too: a field of a struct is a column like `user.id`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from core.errors import BadInput
from core.logs.columns import unique_names
from core.logs.engine import file_literal, literal, quoted
from core.logs.mapping import Format
from core.logs.vocabulary import LISTS_OF_EVENTS, TIMES, words_of


def open_parquet(
    con: duckdb.DuckDBPyConnection, files: list[Path], given: Format | None
) -> tuple[Format, list[str]]:
    """Create `source` from Parquet files; return how they are read, and their columns.

    Raises
    ------
    BadInput
        If the files cannot be read, or `given` names a list that they do not have.
    """
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
    decided = given is not None and "each" in given.model_fields_set
    each = given.each if given is not None and decided else _guess_events(top)
    if each is not None:
        reading = _part_events(reading, each, top)
        top = [(name, _element(kind) if name == each else kind) for name, kind in top]
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
    return Format(kind="parquet", each=each), columns


def _guess_events(top: list[tuple[str, Any]]) -> str | None:
    """Return the list that holds the events, as `core.logs.json_lists` tells it; by types here."""
    timed = any(_is_time(name, kind) for name, kind in top)
    for name, kind in top:
        fields = _element(kind).children if _is_list_of_structs(kind) else []
        named = bool(LISTS_OF_EVENTS & set(words_of(name)))
        if any(_is_time(*field) for field in fields) and (named or not timed):
            return name
    return None


def _is_time(name: str, kind: Any) -> bool:
    if kind.id in ("list", "struct", "map"):
        return False
    return str(kind).startswith(("TIMESTAMP", "DATE")) or bool(set(TIMES) & set(words_of(name)))


def _is_list_of_structs(kind: Any) -> bool:
    return bool(kind.id == "list" and _element(kind).id == "struct")


def _element(kind: Any) -> Any:
    """Return the type of the elements of a list."""
    return kind.children[0][1]


def _part_events(reading: str, each: str, top: list[tuple[str, Any]]) -> str:
    """Return SQL of a row per element of the list `each`; one without any keeps its row."""
    if each not in dict(top) or not _is_list_of_structs(dict(top)[each]):
        raise BadInput(
            f"The mapping takes the elements of the list '{each}' for events, which the file does "
            "not have. Accepted: the name of a list of structs, or none."
        )
    name = quoted(each)
    return f"""SELECT * REPLACE (unnest(CASE WHEN len({name}) > 0 THEN {name} ELSE [NULL] END)
        AS {name}) FROM ({reading})"""


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
