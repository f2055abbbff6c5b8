"""The DuckDB connection that imports run in: bounded, spilling, in UTC."""

import glob
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pyarrow as pa

from core.errors import BadInput

# What stands for "nothing" in the logs we met.
MISSING = (
    "",
    "NULL",
    "null",
    "None",
    "nan",
    "NaN",
    "\\N",
    "NA",
    "N/A",
    "n/a",
    "#N/A",
    "<NA>",
    "NaT",
)

_LONGEST = max(map(len, MISSING))
_SMALL = 1 << 29  # bytes per core that the tables of an import may fill

Part = TypeVar("Part")
Result = TypeVar("Result")


def _is_missing(x: str) -> str:
    return "(" + " OR ".join(f"{x} = '{word}'" for word in MISSING) + ")"  # IN would be a join


# A damaged file raises any error but those of a statement that is wrong in itself.
_OUR_MISTAKES = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)

# Before or after a number: any sign of a currency, and the codes and words of the commonest.
_CODES = (
    "USD EUR GBP JPY CNY RMB INR KRW BRL MXN CAD AUD NZD CHF SEK NOK DKK PLN CZK HUF RON TRY RUB "
    "UAH ZAR SGD HKD TWD THB IDR MYR PHP VND ILS AED kr zł Kč Ft Rs руб 元 円 원"
).replace(" ", "|")
_CURRENCY = rf"[A-Z]{{0,2}}\p{{Sc}}|^(?:{_CODES})[.,]?|(?:{_CODES})[.,]?$"
# What may be a number: taking any other text apart would cost more than the rest of a look.
_MAYBE = rf"(?:[A-Z]{{0,2}}\p{{Sc}}|{_CODES})?[^\pL:/]*\d[^\pL:/]*(?:[eE]|{_CODES})?[^\pL:/]*"

# Trimming and comparing cost more than reading: only where a cell can need them. A text before '!'
# is empty or begins with a space or less.
_MACROS = rf"""
CREATE MACRO value_of(x) AS CASE
    WHEN x < '!' OR ends_with(x, ' ')
    THEN CASE WHEN NOT {_is_missing("trim(x)")} THEN trim(x) END
    WHEN strlen(x) > {_LONGEST} OR NOT {_is_missing("x")} THEN x END;
CREATE MACRO bare_number(x) AS regexp_replace(regexp_replace(regexp_replace(
    replace(x, '−', '-'), '{_CURRENCY}|[%\s\p{{Zs}}]', '', 'g'),
    '[''’](\d{{3}})', '\1', 'g'), '^\((.*)\)$', '-\1');
CREATE MACRO signs_read(x) AS CASE
    WHEN regexp_full_match(x, '[-+]?[1-9]\d{{0,2}}(,\d{{2,3}})*,\d{{3}}([.]\d*)?')
    THEN replace(x, ',', '')
    WHEN regexp_full_match(x, '[-+]?\d{{1,3}}(([.]\d{{3}})+,\d*|([.]\d{{3}}){{2,}})')
    THEN replace(replace(x, '.', ''), ',', '.')
    ELSE replace(x, ',', '.') END;
CREATE MACRO odd_number(x) AS CASE WHEN regexp_full_match(x, '{_MAYBE}')
    THEN try_cast(regexp_extract(signs_read(bare_number(x)),
        '^[-+]?\d{{0,200}}[.]?\d*([eE][-+]?\d{{1,2}})?$') AS DOUBLE) END;
CREATE MACRO number_of(x) AS coalesce(
    CASE WHEN isfinite(try_cast(x AS DOUBLE)) THEN try_cast(x AS DOUBLE) END, odd_number(x));
"""


@contextmanager
def scratch_folder(parent: Path | None = None) -> Iterator[Path]:
    """Give a folder that is gone afterwards, inside `parent` or the system's temporary folder."""
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="spoor-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def connect(scratch: Path, *, on_disk: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB; what does not fit into half of the memory is spilled to `scratch`.

    With `on_disk` its tables lie in `scratch` from the beginning, packed.
    """
    con = duckdb.connect(
        str(scratch / "log.duckdb") if on_disk else ":memory:",
        config={
            "threads": str(threads()),
            "memory_limit": f"{_half_of_memory()}B",
            "temp_directory": str(scratch),
        },
    )
    try:
        con.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        con.execute(_MACROS)
        yield con
    except duckdb.Error as error:
        if isinstance(error, _OUR_MISTAKES):
            raise
        if isinstance(error, duckdb.OutOfMemoryException):
            raise BadInput(
                f"The log needs more memory, or room on the disk of {scratch}, than there is "
                f"({error}). Import a part of it, or make room."
            ) from error
        raise BadInput(f"The file cannot be read: {error}. It may be damaged.") from error
    finally:
        con.close()


def _half_of_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def keep_small(con: duckdb.DuckDBPyConnection) -> None:
    """From now on use little memory, however large the log: all work is done in parts."""
    con.execute(f"SET memory_limit = '{min(_SMALL * threads(), _half_of_memory())}B'")


def threads() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0))


def in_parallel(
    con: duckdb.DuckDBPyConnection,
    work: Callable[[duckdb.DuckDBPyConnection, Part], Result],
    parts: Iterable[Part],
) -> list[Result]:
    """Return what `work` makes of each part, in their order.

    It gets a connection of its own, with temporary tables of its own, to the database of `con`. A
    part that needs more memory than usual, because a large share of the log has the same actor or
    the same item, gets it.
    """

    def alone(part: Part) -> Result:
        with con.cursor() as own:
            try:
                return work(own, part)
            except duckdb.OutOfMemoryException:
                own.execute(f"SET memory_limit = '{_half_of_memory()}B'")
                return work(own, part)

    with ThreadPoolExecutor(threads()) as pool:
        return list(pool.map(alone, parts))


@contextmanager
def undone(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Leave the tables as they were; undoing is faster than emptying each."""
    con.begin()
    try:
        yield
    finally:
        con.rollback()


def to_arrow(con: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """Return what a query finds, each column in one piece."""
    return con.sql(query).to_arrow_table().combine_chunks()


@contextmanager
def lent(con: duckdb.DuckDBPyConnection, **tables: pa.Table) -> Iterator[None]:
    """Let `con` know tables by these names."""
    for name, table in tables.items():
        con.register(name, table)
    try:
        yield
    finally:
        for name in tables:
            con.unregister(name)


def one_row(con: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    """Return the row of a query that has exactly one, such as an aggregate over a table."""
    (row,) = con.execute(query).fetchall()
    return tuple(row)


def quoted(name: str) -> str:
    """Return `name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def file_literal(path: Path) -> str:
    """Return a path as an SQL string that names this file only, whatever signs it holds."""
    return literal(glob.escape(str(path)))


def literal(value: str) -> str:
    """Return `value` as an SQL string."""
    return "'" + value.replace("'", "''") + "'"
