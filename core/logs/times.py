"""Times as logs write them, and the SQL that reads each way as a moment in UTC.

A time without a year, as syslog writes it (`Oct  7 13:55:36`), is none: nothing in the log says
which year is meant, and a wrong one would put events of a turn of the year in the wrong order.
"""

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from itertools import product
from typing import Final

import duckdb

from core.logs.engine import literal, quoted
from core.logs.mapping import TimeRule

_LOOKED_AT = 2000  # values of a column
_ENOUGH = 200  # values without a time among them: none will come

# What each part of a format stands for. %1 and %2 are the day and the month, in either order.
_PARTS: Final = {
    "%Y%m%d": r"(?:19|20)\d{6}",
    "%H%M%S": r"\d{6}",
    "%1.%2.%y": r"\d{2}\.\d{2}\.\d{2}",  # 4.12.10 is a version
    **dict.fromkeys(("%1", "%2", "%d", "%m", "%H", "%I"), r"\d{1,2}"),
    **dict.fromkeys(("%M", "%S", "%y"), r"\d{2}"),
    **dict.fromkeys(("%a", "%b"), "[A-Za-z]{3}"),
    "%Y": r"(?:19|20)\d{2}",
    "%B": "[A-Za-z]{4,9}",
    "%f": r"\d{1,6}",
    "%p": "[AaPp][Mm]",
    "%午": "[上下]午",
    "%z": r"[-+]\d{2}:?\d{2}",
    "%Z": "[A-Z]{3,4}",
}
_DATES: Final = (
    *("%1/%2/%Y", "%1.%2.%Y", "%1-%2-%Y", "%1/%2/%y", "%1-%2-%y", "%1.%2.%y"),
    *("%d/%b/%Y", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%a, %d %b %Y"),
    *("%b %d, %Y", "%b %d %Y", "%B %d, %Y", "%B %d %Y", "%m %d, %Y"),
    *("%Y年%m月%d日", "%Y.%m.%d", "%Y-%m-%d", "%Y/%m/%d", "%Y%m%d"),
)
_CLOCKS: Final = (
    *("%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%H:%M:%S,%f", "%H%M%S"),
    *("%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%I:%M:%S%p"),
    *("%H时%M分", "%H时%M分%S秒"),
    *("%午%I:%M", "%午%I:%M:%S", "%午 %I:%M", "%午 %I:%M:%S", "%午%I时%M分", "%午%I时%M分%S秒"),
)
_ZONES: Final = ("", " %z", "%z", " %Z", "Z")
_BETWEEN = re.compile("[T:, @]*")  # date and clock
# Of the C library and its heirs: the year comes last, a day of one digit is padded.
_CTIMES: Final = tuple(
    f"%a %b{day} %H:%M:%S{zone} %Y"
    for day, zone in product((" %d", "  %d"), ("", " %z", " UTC", " GMT"))
)

# Characters of the longest that a part stands for; the other parts have no longest.
_WIDTHS: Final = {
    **dict.fromkeys(("%1", "%2", "%d", "%m", "%H", "%I", "%M", "%S", "%y", "%p"), 2),
    **dict.fromkeys(("%a", "%b"), 3),
    **{"%Y%m%d": 8, "%H%M%S": 6, "%1.%2.%y": 8, "%Y": 4, "%f": 6, "%z": 5},
}

# ISO 8601 by far the most often, and all of it that the database reads without a format.
_USUAL: Final = tuple(
    f"%Y-%m-%d{between}%H:%M:%S{zone}" for between, zone in product(" T", ("", " UTC", "Z"))
)
_BARE = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}(?:[ T]+\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?"
_UTC = "(?: ?UTC| GMT|Z|[-+]00(?::?00)?)"
_ZONE = r"(?:[-+]\d{2}(?::?\d{2})?| [A-Z][A-Za-z_]+/[A-Za-z_/-]+| [A-Z]{3,4})"

# Digits that count from 1970: how many of them, and what makes microseconds of them.
_ZONED = re.compile(r":\d\d(?:\.\d+)? ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d)(?: \d{4})?$")
_EPOCHS: Final = {
    "seconds": (10, "* 1000000"),
    "milliseconds": (13, "* 1000"),
    "microseconds": (16, "* 1"),
    "nanoseconds": (19, "// 1000"),
}


# Times that count from an unknown start are told from then on, which no other time of theirs is.
START: Final = "2000-01-01"
_COUNTS: Final = {
    "seconds": (START, 1),
    "minutes": (START, 60),
    "hours": (START, 3600),
    "days": (START, 86400),
    "days since 1900": ("1899-12-30", 86400),  # as spreadsheets do, which know a 1900-02-29
}
_LONGEST_COUNT: Final = 1e10  # seconds


def formats_in(values: Iterable[str]) -> list[str]:
    """Return the ways in which `values` write times, the commonest first."""
    found: Counter[str] = Counter()
    for number, value in enumerate(values):
        if number == _ENOUGH and not found:
            break
        known = (format for format in found if _pattern(format).fullmatch(value))
        if (format := next(known, None) or format_of(value)) is not None:
            found[format] += 1
    return [format for format, _ in found.most_common()]


def formats_of(con: duckdb.DuckDBPyConnection, column: str, table: str = "source") -> list[str]:
    """Return the ways in which the beginning of a column writes times, the commonest first."""
    name = quoted(column)
    query = f"SELECT {name} FROM {table} WHERE {name} IS NOT NULL LIMIT {_LOOKED_AT}"
    return formats_in(value for (value,) in con.execute(query).fetchall())


def format_of(value: str) -> str | None:
    """Return how `value` writes a time, or None where it is none."""
    for format in (*_EPOCHS, *_USUAL, "iso", "number", *_CTIMES):
        if _pattern(format).fullmatch(value):
            return format
    for date in _DATES:
        if (start := _pattern(date).match(value)) is None:
            continue
        rest = value[start.end() :]
        if not rest:
            return date
        between = _BETWEEN.match(rest)
        assert between is not None  # at least the empty string
        for clock, zone in product(_CLOCKS, _ZONES):
            if _pattern(clock + zone).fullmatch(rest, between.end()):
                return date + between.group() + clock + zone
    return None


def is_local(value: str) -> bool:
    """Tell whether a time says neither its zone nor how long after 1970 it is."""
    format = format_of(value)
    return format is not None and not is_count(format) and _ZONED.search(value) is None


def is_count(format: str) -> bool:
    """Tell whether a format counts from 1970, so that other numbers may look like it."""
    return format in (*_EPOCHS, "number")


def says_when(format: str) -> bool:
    """Tell whether a time in this format is surely more than a date."""
    return is_count(format) or any(hour in format for hour in ("%H", "%I"))


def leads_with_day_or_month(format: str | None) -> bool:
    """Tell whether a date like 03/04/2019 can be read in two ways."""
    return format is not None and format.startswith("%1")


@cache
def _pattern(format: str) -> re.Pattern[str]:
    return re.compile(_expression(format))


def _expression(format: str) -> str:
    """Return the regular expression of a format, as Python and the database understand it."""
    if format in _EPOCHS:
        return rf"\d{{{_EPOCHS[format][0]}}}"
    if format == "iso":
        return f"{_BARE}(?:{_UTC}|{_ZONE})?"
    if format == "number":
        return r"\d{9,10}(?:\.\d+)?|\d{12,13}(?:\.\d+)?|\d{15,16}|\d{18,19}"
    return "".join(_PARTS.get(part, part.replace(".", r"\.")) for part in _split(format))


def _split(format: str) -> list[str]:
    return re.split(f"({'|'.join(map(re.escape, _PARTS))})", format)


def _width(format: str) -> int | None:
    """Return the bytes of the longest time in a format, which its parts fill to the last."""
    widths = [
        _WIDTHS.get(part) if part in _PARTS else len(part.encode()) for part in _split(format)
    ]
    return None if None in widths else sum(width for width in widths if width)


def time_sql(x: str, rule: TimeRule, formats: list[str]) -> str:
    """Return the SQL that reads the text `x` as a time in UTC, or as null.

    Parameters
    ----------
    formats
        The ways to try, the commonest first: a later one costs only the rows still without a
        time. The ways that need no format are always tried in the end.

    Notes
    -----
    No way of reading may repeat an expression that fails slowly, such as a cast: the database
    would compute it once, and for every row.
    """
    if rule.counts is not None:
        return _read_count(x, *_COUNTS[rule.counts])
    ways = [*formats, *(way for way in ("iso", "number") if way not in formats)]
    return f"coalesce({', '.join(_read(x, way, rule) for way in ways)})"


def _read(x: str, format: str, rule: TimeRule) -> str:
    if format in _EPOCHS:
        digits, scale = _EPOCHS[format]
        return (
            f"CASE WHEN length({x}) = {digits} "
            f"THEN make_timestamp(try_cast({x} AS BIGINT) {scale}) END"
        )
    if format == "iso":
        return _read_iso(x, rule)
    if format == "number":
        return _read_number(x)
    return _read_format(x, format, rule)


def _read_format(x: str, format: str, rule: TimeRule) -> str:
    """Read by a format, which alone would take 1/2/19 for a day of the year 19.

    Where all parts have their full length it cannot; else a regular expression has to tell.
    """
    days = {"%1": "%d", "%2": "%m"} if rule.day_first else {"%1": "%m", "%2": "%d"}
    spelled = re.sub("%[12]", lambda part: days[part.group()], format)
    moment = f"try_strptime({x}, {literal(spelled)})"
    if "%午" in format:
        western = f"replace(replace({x}, '上午', 'AM'), '下午', 'PM')"
        moment = f"try_strptime({western}, {literal(spelled.replace('%午', '%p'))})"
    if "%z" in format or "%Z" in format:
        moment = f"{moment} AT TIME ZONE 'UTC'"
    elif not (format.endswith("Z") or any(zone in format for zone in ("UTC", "GMT"))):
        moment = _in_zone(moment, rule)
    width = _width(format)
    full = "" if width is None else f"strlen({x}) = {width} OR "
    return f"CASE WHEN {full}{_is(x, _expression(format))} THEN {moment} END"


def _read_iso(x: str, rule: TimeRule) -> str:
    """Read ISO 8601; the quick cast would ignore any zone that a time says."""
    quick, zoned = (_BARE, f"{_BARE}(?:{_UTC}|{_ZONE})")
    if rule.zone == "UTC":
        quick, zoned = (f"{_BARE}{_UTC}?", f"{_BARE}{_ZONE}")
    return (
        f"CASE WHEN {_is(x, quick)} THEN {_in_zone(f'try_cast({x} AS TIMESTAMP)', rule)} "
        f"WHEN {_is(x, zoned)} THEN try_cast({x} AS TIMESTAMPTZ) AT TIME ZONE 'UTC' END"
    )


def _read_number(x: str) -> str:
    scales = ((r"\d{9,10}(\.\d+)?", "1e6"), (r"\d{12,13}(\.\d+)?", "1e3"), (r"\d{15,16}", "1"),
              (r"\d{18,19}", "1e-3"))  # fmt: skip
    cases = (f"WHEN {_is(x, digits)} THEN {scale}" for digits, scale in scales)
    return f"make_timestamp(CAST(try_cast({x} AS DOUBLE) * CASE {' '.join(cases)} END AS BIGINT))"


def _read_count(x: str, start: str, unit: int) -> str:
    seconds = f"number_of({x}) * {unit}"
    return f"""CASE WHEN abs({seconds}) < {_LONGEST_COUNT}
        THEN TIMESTAMP '{start}' + to_milliseconds(round({seconds} * 1e3)) END"""


def _in_zone(moment: str, rule: TimeRule) -> str:
    if rule.zone == "UTC":
        return moment
    return f"timezone('UTC', timezone({literal(rule.zone)}, {moment}))"


def _is(x: str, expression: str) -> str:
    return f"regexp_full_match({x}, {literal(expression)})"


def day_first(con: duckdb.DuckDBPyConnection, column: str, table: str = "source") -> bool | None:
    """Tell which of two readings the dates of a column allow; None where it may be either."""
    first, second = (
        f"max(try_cast(regexp_extract({quoted(column)}, '^(\\d{{1,2}})\\D(\\d{{1,2}})\\D', {part})"
        " AS INTEGER))"
        for part in (1, 2)
    )
    row = con.execute(f"SELECT {first} > 12, {second} > 12 FROM {table}").fetchone()
    assert row is not None
    return None if row[0] == row[1] else bool(row[0])
