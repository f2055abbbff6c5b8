"""The DuckDB connection that imports run in: bounded, spilling, in UTC."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from core.errors import BadInput

# What stands for "nothing" in the logs we met.
MISSING = ("", "NULL", "null", "None", "nan", "NaN", "\\N")

# A damaged file raises any error but those of a statement that is wrong in itself.
_OUR_MISTAKES = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)

_MACROS = rf"""
CREATE MACRO value_of(x) AS CASE
    WHEN trim(x) IN ({", ".join(f"'{word}'" for word in MISSING)}) THEN NULL ELSE trim(x) END;
CREATE MACRO odd_number(x) AS try_cast(regexp_extract(
    replace(regexp_replace(regexp_replace(x, '[$€£¥%\s]', '', 'g'),
            ',(\d{{3}})\b', '\1', 'g'), ',', '.'),
    '^[-+]?\d*[.]?\d*([eE][-+]?\d+)?$') AS DOUBLE);
CREATE MACRO number_of(x) AS CASE
    WHEN regexp_full_match(x, '[-+]?[\d.]+') THEN try_cast(x AS DOUBLE) ELSE odd_number(x) END;
CREATE MACRO epoch_time(x) AS CASE
    WHEN x BETWEEN 1e8 AND 1e10 THEN make_timestamp(CAST(x * 1e6 AS BIGINT))
    WHEN x BETWEEN 1e11 AND 1e13 THEN make_timestamp(CAST(x * 1e3 AS BIGINT))
    WHEN x BETWEEN 1e14 AND 1e16 THEN make_timestamp(CAST(x AS BIGINT))
    WHEN x BETWEEN 1e17 AND 1e19 THEN make_timestamp(CAST(x / 1e3 AS BIGINT)) END;
CREATE MACRO time_of(x) AS coalesce(
    try_cast(x AS TIMESTAMPTZ) AT TIME ZONE 'UTC',
    CASE WHEN regexp_full_match(x, '\d{{8}}') THEN try_strptime(x, '%Y%m%d')
         WHEN regexp_full_match(x, '\d{{14}}') THEN try_strptime(x, '%Y%m%d%H%M%S')
         ELSE epoch_time(try_cast(x AS DOUBLE)) END);
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
def connect(scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB in memory; what does not fit is spilled to `scratch`."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    con = duckdb.connect(
        config={
            "threads": str(len(os.sched_getaffinity(0))),
            "memory_limit": f"{memory // 2**20}MiB",
            "temp_directory": str(scratch),
        }
    )
    try:
        con.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        con.execute(_MACROS)
        yield con
    except duckdb.Error as error:
        if isinstance(error, _OUR_MISTAKES):
            raise
        raise BadInput(f"The file cannot be read: {error}. It may be damaged.") from error
    finally:
        con.close()


def quoted(name: str) -> str:
    """Return `name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """Return `value` as an SQL string."""
    return "'" + value.replace("'", "''") + "'"
