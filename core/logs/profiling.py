"""What the columns of a log look like, from a sample."""

from dataclasses import dataclass, replace
from typing import Any

import duckdb

from core.logs.engine import literal, one_row, quoted
from core.logs.mapping import TimeRule
from core.logs.times import day_first, formats_of, time_sql
from core.logs.vocabulary import TIMES, words_of

_SAMPLE_ROWS = 20_000
_SAMPLE_CELLS = 1_000_000
_CLOCK = r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[AaPp][Mm])?"
_NOTHING = (0, 0, 0, 0, None, None, 0, 0, None, None, None)  # of a log without a usable row


@dataclass(frozen=True)
class Profile:
    """One column of the sample; shares are of its filled rows."""

    name: str
    rows: int
    filled: int
    distinct: int
    numeric: float  # share that are numbers
    whole: float  # share that are whole numbers
    length: float  # mean number of characters
    words: float  # mean number of words
    lists: float  # share with two or more of | or ;
    clock: float  # share that are a time of day
    lowest: float | None
    highest: float | None
    example: str | None
    timed: float = 0.0  # share that are times
    rising: float = 0.0  # share of times, or of what may count time, not before the row above's
    formats: tuple[str, ...] = ()  # in which times are written, the commonest first

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


def take_sample(con: duckdb.DuckDBPyConnection, columns: list[str]) -> None:
    """Create the table `sample`: the first rows of `source`, fewer of a wide one."""
    rows = min(_SAMPLE_ROWS, max(1000, _SAMPLE_CELLS // len(columns)))
    con.execute(
        f"""CREATE OR REPLACE TABLE sample AS SELECT * FROM source
        WHERE "@refused" IS NULL LIMIT {rows}"""
    )


def profile_columns(con: duckdb.DuckDBPyConnection, columns: list[str]) -> list[Profile]:
    """Profile columns of the table `sample`."""
    names = ", ".join(map(literal, columns))
    values = ", ".join(map(quoted, columns))
    found = con.execute(
        rf"""SELECT name, count(*), count(cell), count(DISTINCT cell), count(number_of(cell)),
            count(*) FILTER (regexp_full_match(cell, '[-+]?\d+')),
            avg(length(cell)), avg(len(regexp_extract_all(cell, '\S+'))),
            count(*) FILTER (length(cell) - length(translate(cell, '|;', '')) > 1),
            count(*) FILTER (regexp_full_match(cell, {literal(_CLOCK)})),
            min(number_of(cell)), max(number_of(cell)), min_by(cell, "@row")
        FROM (SELECT "@row", unnest([{names}]) AS name, unnest([{values}]) AS cell FROM sample)
        GROUP BY name"""
    ).fetchall()
    profiles = {row[0]: _as_profile(row[0], row[1], row[2:]) for row in found}
    nothing = _as_profile("", 0, _NOTHING)
    every = [profiles.get(column, replace(nothing, name=column)) for column in columns]
    return [_with_times(con, profile) for profile in every]


def _with_times(con: duckdb.DuckDBPyConnection, profile: Profile) -> Profile:
    formats = formats_of(con, profile.name, "sample")
    if not formats:
        return _with_counts(con, profile)
    rule = TimeRule(day_first=bool(day_first(con, profile.name, "sample")))
    timed, rising = _rising(con, time_sql(quoted(profile.name), rule, formats))
    timed /= profile.filled
    return replace(profile, timed=timed, rising=rising, formats=tuple(formats))


def _with_counts(con: duckdb.DuckDBPyConnection, profile: Profile) -> Profile:
    """Tell of numbers named like a time, but too small for one, whether they grow."""
    named = set(TIMES) & set(words_of(profile.name))
    if not (named and profile.is_number and (profile.lowest or 0) >= 0):
        return profile
    return replace(profile, rising=_rising(con, f"number_of({quoted(profile.name)})")[1])


def _rising(con: duckdb.DuckDBPyConnection, moment: str) -> tuple[float, float]:
    """Return how many rows of the sample have a moment, and the share not before the one above."""
    read, rises, pairs = one_row(
        con,
        f"""SELECT count(*), count(*) FILTER (moment >= above), count(above) FROM (
            SELECT moment, lag(moment) OVER (ORDER BY "@row") AS above FROM (
                SELECT "@row", {moment} AS moment FROM sample) WHERE moment IS NOT NULL)""",
    )
    return read, rises / max(pairs, 1)


def _as_profile(name: str, rows: int, values: tuple[Any, ...]) -> Profile:
    filled, distinct, numeric, whole, length, words, lists, clock, low, high, example = values
    of_filled = max(filled, 1)
    return Profile(
        name=name,
        rows=rows,
        filled=filled,
        distinct=distinct,
        numeric=numeric / of_filled,
        whole=whole / of_filled,
        length=length or 0.0,
        words=words or 0.0,
        lists=lists / of_filled,
        clock=clock / of_filled,
        lowest=low,
        highest=high,
        example=example,
    )
