"""What the columns of a log look like, from a sample."""

from dataclasses import dataclass
from typing import Any

import duckdb

from core.logs.engine import quoted

SAMPLE_ROWS = 50_000
_AT_ONCE = 50  # columns per query, so that wide tables stay cheap to plan


@dataclass(frozen=True)
class Profile:
    """One column of the sample; shares are of its filled rows."""

    name: str
    rows: int
    filled: int
    distinct: int
    numeric: float  # share that are numbers
    whole: float  # share that are whole numbers
    timed: float  # share that are times
    length: float  # mean number of characters
    words: float  # mean number of words
    lists: float  # share with two or more of | or ;
    lowest: float | None
    highest: float | None
    example: str | None

    @property
    def missing(self) -> float:
        """Share of rows without a value."""
        return 1 - self.filled / self.rows if self.rows else 1.0

    @property
    def is_number(self) -> bool:
        """Whether practically every value is a number."""
        return self.numeric > 0.98

    @property
    def repeats(self) -> bool:
        """Whether values come back."""
        return 1 < self.distinct < self.filled


def take_sample(con: duckdb.DuckDBPyConnection) -> None:
    """Create the table `sample`: the first rows of `source`."""
    con.execute(
        f"""CREATE OR REPLACE TABLE sample AS SELECT * FROM source
        WHERE "@refused" IS NULL LIMIT {SAMPLE_ROWS}"""
    )


def profile_columns(con: duckdb.DuckDBPyConnection, columns: list[str]) -> list[Profile]:
    """Profile columns of the table `sample`."""
    profiles: list[Profile] = []
    for start in range(0, len(columns), _AT_ONCE):
        profiles += _profile(con, columns[start : start + _AT_ONCE])
    return profiles


def _profile(con: duckdb.DuckDBPyConnection, columns: list[str]) -> list[Profile]:
    cells = ", ".join(_measures(quoted(column)) for column in columns)
    row = con.execute(f"SELECT count(*), {cells} FROM sample").fetchone()
    assert row is not None
    rows, values = row[0], row[1:]
    width = len(values) // len(columns)
    return [
        _as_profile(column, rows, values[number * width : (number + 1) * width])
        for number, column in enumerate(columns)
    ]


def _measures(column: str) -> str:
    number = f"try_cast({column} AS DOUBLE)"
    return ", ".join(
        [
            f"count({column})",
            f"count(DISTINCT {column})",
            f"count(finite({number}))",
            f"count(*) FILTER (regexp_full_match({column}, '[-+]?\\d+'))",
            f"count(time_of({column}))",
            f"avg(length({column}))",
            f"avg(len(regexp_extract_all({column}, '\\S+')))",
            f"count(*) FILTER (length({column}) - length(translate({column}, '|;', '')) > 1)",
            f"min(finite({number}))",
            f"max(finite({number}))",
            f'min_by({column}, "@row")',
        ]
    )


def _as_profile(name: str, rows: int, values: tuple[Any, ...]) -> Profile:
    filled, distinct, numeric, whole, timed, length, words, lists, low, high, example = values
    of_filled = max(filled, 1)
    return Profile(
        name=name,
        rows=rows,
        filled=filled,
        distinct=distinct,
        numeric=numeric / of_filled,
        whole=whole / of_filled,
        timed=timed / of_filled,
        length=length or 0.0,
        words=words or 0.0,
        lists=lists / of_filled,
        lowest=low,
        highest=high,
        example=example,
    )
