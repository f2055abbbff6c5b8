"""Times: written in every accepted way, read back as the same moment."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.logs.engine import connect
from core.logs.importing import import_log
from core.logs.mapping import Mapping, TimeRule
from core.logs.times import day_first, format_of, formats_in, formats_of, is_local, time_sql
from core.store.home import Home

Writer = Callable[[datetime], str]


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(Path(tmp_path_factory.mktemp("scratch"))) as opened:
        yield opened


def make_source(con: duckdb.DuckDBPyConnection, values: Sequence[str | None]) -> None:
    con.execute(
        """CREATE OR REPLACE TABLE source AS
        SELECT "at", row_number() OVER () AS "@row" FROM (SELECT unnest(?) AS "at")""",
        [values],
    )


def read(
    con: duckdb.DuckDBPyConnection, values: list[str], rule: TimeRule | None = None
) -> list[str | None]:
    """Read values as a column of a log, written back as Python does."""
    make_source(con, values)
    moment = time_sql('"at"', rule or TimeRule(), formats_of(con, "at"))
    rows = con.execute(f"SELECT {moment} FROM source").fetchall()
    return [None if row[0] is None else str(row[0]) for row in rows]


MICRO, MILLI, SECOND, MINUTE, DAY = 1, 1000, 1_000_000, 60_000_000, 86_400_000_000


def micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=moment.tzinfo)) // timedelta(microseconds=1)


def half(moment: datetime) -> str:
    return "上午" if moment.hour < 12 else "下午"


# How a program may write a time: its precision and, where it says no zone, that it does not.
UTC_WRITERS: list[tuple[int, Writer]] = [
    (SECOND, lambda t: str(micros(t) // SECOND)),
    (MILLI, lambda t: str(micros(t) // MILLI)),
    (MICRO, lambda t: str(micros(t))),
    (MICRO, lambda t: f"{micros(t)}000"),
    (MILLI, lambda t: f"{micros(t) / SECOND:.3f}"),
    (SECOND, lambda t: f"{t:%Y-%m-%d %H:%M:%S} UTC"),
    (SECOND, lambda t: f"{t:%Y-%m-%dT%H:%M:%S}Z"),
    (MICRO, lambda t: f"{t + timedelta(hours=8):%Y-%m-%dT%H:%M:%S.%f}+08:00"),
    (SECOND, lambda t: f"{t - timedelta(hours=7):%Y-%m-%d %H:%M:%S} -0700"),
    (SECOND, lambda t: f"{t - timedelta(hours=7):%d/%b/%Y:%H:%M:%S} -0700"),
    (SECOND, lambda t: f"{t:%a, %d %b %Y %H:%M:%S} GMT"),
    (SECOND, lambda t: f"{t:%Y%m%dT%H%M%S}Z"),
    (MICRO, lambda t: f"{t:%Y-%m-%dT%H:%M:%S.%f}789Z"),
    (SECOND, lambda t: f"{t:%a %b} {t.day:2} {t:%H:%M:%S} UTC {t.year}"),
    (SECOND, lambda t: f"{t + timedelta(hours=8):%a %b %d %H:%M:%S +0800 %Y}"),
]
LOCAL_WRITERS: list[tuple[int, Writer]] = [
    (MICRO, lambda t: f"{t:%Y-%m-%d %H:%M:%S.%f}"),
    (MILLI, lambda t: f"{t:%Y-%m-%d %H:%M:%S},{t.microsecond // 1000:03}"),
    (MINUTE, lambda t: f"{t.year}/{t.month}/{t.day} {t.hour}:{t:%M}"),
    (DAY, lambda t: f"{t:%Y%m%d}"),
    (DAY, lambda t: f"{t:%Y.%m.%d}"),
    (SECOND, lambda t: f"{t:%Y%m%d%H%M%S}"),
    (MINUTE, lambda t: f"{t:%b %d, %Y %I:%M %p}"),
    (SECOND, lambda t: f"{t:%B} {t.day} {t.year} {t:%I:%M:%S%p}"),
    (DAY, lambda t: f"{t.day} {t:%b %Y}"),
    (DAY, lambda t: f"{t:%d-%b-%y}"),
    (MINUTE, lambda t: f"{t.year}年{t.month}月{t.day}日 {t:%H:%M}"),
    (SECOND, lambda t: f"{t:%Y年%m月%d日%H时%M分%S秒}"),
    (MINUTE, lambda t: f"{t:%Y-%m-%d} {t:%I:%M %p}"),
    (SECOND, lambda t: f"{t:%a %b} {t.day:2} {t:%H:%M:%S %Y}"),
    (MINUTE, lambda t: f"{t.year}/{t.month}/{t.day} {half(t)}{t.hour % 12 or 12}:{t:%M}"),
    (SECOND, lambda t: f"{t:%Y-%m-%d} {half(t)} {t.hour % 12 or 12}:{t:%M:%S}"),
]
DAY_FIRST_WRITERS: list[tuple[int, Writer]] = [
    (MINUTE, lambda t: f"{t:%d/%m/%Y %H:%M}"),
    (SECOND, lambda t: f"{t.day}/{t.month}/{t.year}, {t:%H:%M:%S}"),
    (DAY, lambda t: f"{t:%d.%m.%Y}"),
    (DAY, lambda t: f"{t:%d-%m-%Y}"),
    (DAY, lambda t: f"{t:%d.%m.%y}"),
    (MINUTE, lambda t: f"{t.day}/{t.month}/{t:%y} {t:%I:%M %p}"),
]
MONTH_FIRST_WRITERS: list[tuple[int, Writer]] = [
    (DAY, lambda t: f"{t:%m/%d/%Y}"),
    (SECOND, lambda t: f"{t.month}/{t.day}/{t.year} {t:%I:%M:%S %p}"),
    (MINUTE, lambda t: f"{t:%m-%d-%Y %H:%M}"),
]
# Two digits for a year reach no further.
TIMES = st.datetimes(datetime(2002, 1, 1), datetime(2067, 1, 1))
ZONES = st.sampled_from(["UTC", "Asia/Shanghai", "America/New_York", "Asia/Kolkata"])


def cut(moment: datetime, precision: int) -> datetime:
    start = datetime(1970, 1, 1, tzinfo=moment.tzinfo)
    return start + timedelta(microseconds=micros(moment) // precision * precision)


@settings(max_examples=150, deadline=None)
@given(moment=TIMES, zone=ZONES, choice=st.sampled_from(UTC_WRITERS))
def test_a_time_that_says_its_zone_is_that_moment(con, moment, zone, choice) -> None:
    precision, write = choice
    moment = cut(moment, precision)
    assert read(con, [write(moment)], TimeRule(zone=zone)) == [str(moment)]


@settings(max_examples=300, deadline=None)
@given(
    moment=TIMES,
    zone=ZONES,
    choice=st.sampled_from(
        [(None, *writer) for writer in LOCAL_WRITERS]
        + [(True, *writer) for writer in DAY_FIRST_WRITERS]
        + [(False, *writer) for writer in MONTH_FIRST_WRITERS]
    ),
)
def test_a_time_without_a_zone_is_read_in_that_of_the_rule(con, moment, zone, choice) -> None:
    first, precision, write = choice
    local = cut(moment, precision).replace(tzinfo=ZoneInfo(zone))
    there_and_back = local.astimezone(UTC).astimezone(ZoneInfo(zone))
    if there_and_back.replace(tzinfo=None) != local.replace(tzinfo=None):
        return  # skipped when the clocks went forward: nobody ever saw it
    if local.utcoffset() != local.replace(fold=1).utcoffset():
        return  # seen twice when the clocks went back: either is right
    for either in [True, False] if first is None else [first]:
        found = read(con, [write(local)], TimeRule(zone=zone, day_first=either))
        assert found == [str(local.astimezone(UTC).replace(tzinfo=None))]


def test_a_column_may_mix_ways_of_writing(con: duckdb.DuckDBPyConnection) -> None:
    values = ["31/12/2019 23:59", "1577836740", "2019-12-31 23:59", "31.12.2019", "soon", "1/2/19"]
    assert read(con, values, TimeRule(day_first=True)) == [
        "2019-12-31 23:59:00",
        "2019-12-31 23:59:00",
        "2019-12-31 23:59:00",
        "2019-12-31 00:00:00",
        None,
        "2019-02-01 00:00:00",
    ]


@pytest.mark.parametrize(
    "mixed",
    [lambda n: n >= 6000, lambda n: n >= 6000 and n % 2 == 0],
    ids=["below", "in turns below"],
)
def test_rows_in_another_way_than_the_first_ones_are_read(
    home: Home, tmp_path: Path, mixed: Callable[[int], bool]
) -> None:
    moments = [datetime(2019, 10, 1) + timedelta(minutes=n) for n in range(9000)]
    times = [f"{t:%d.%m.%Y %H:%M}" if mixed(n) else f"{t:%b %d, %Y %H:%M}"
             for n, t in enumerate(moments)]  # fmt: skip
    rows = [f'u{n % 9},"{written}",view' for n, written in enumerate(times)]
    (tmp_path / "log.csv").write_text("\n".join(["user,time,action", *rows]))
    mapping = Mapping.model_validate({"time": {"day_first": True}})
    dataset = import_log(home, tmp_path / "log.csv", mapping=mapping)
    assert (dataset.accepted, dataset.rejected) == (9000, 0)
    assert dataset.quality["last_ts"].startswith("2019-10-07T05:59")


def test_times_far_below_are_learned_though_the_column_begins_blank_or_with_notes(
    con: duckdb.DuckDBPyConnection,
) -> None:
    make_source(con, ["not yet"] * 150 + ["31.12.2019"] * 3)
    assert formats_of(con, "at") == ["%1.%2.%Y"]
    make_source(con, [None] * 99_990 + ["31.12.2019"] * 10)  # fewer than the rows drawn by hash
    assert formats_of(con, "at") == ["%1.%2.%Y"]


def test_ways_that_need_no_format_are_read_though_they_were_not_met(
    con: duckdb.DuckDBPyConnection,
) -> None:
    make_source(con, ["10/Oct/2000:13:55:36 -0700"])
    moment = time_sql("x", TimeRule(), formats_of(con, "at"))
    values = ["2000-10-10", "971211336", "971211336123", "10/Oct/2000:20:55:36 +0000"]
    rows = con.execute(f"SELECT ({moment})::VARCHAR FROM (SELECT unnest(?) AS x)", [values])
    assert [row[0] for row in rows.fetchall()] == [
        "2000-10-10 00:00:00",
        "2000-10-10 20:55:36",
        "2000-10-10 20:55:36.123",
        "2000-10-10 20:55:36",
    ]


@pytest.mark.parametrize(
    "value",
    ["", "12", "10.5", "1.2.3.4", "4.12.10", "550e8400-e29b-41d4", "v2019", "12345678", "yesterday",
     "2019-10", "12:30", "1/2", "infinity", "epoch", "99/99/9999", "2019-13-45 x",
     "Oct  7 13:55:36", "Mon Oct  7 13:55:36 CST 2019"],
)  # fmt: skip
def test_what_is_no_time_stays_none(con: duckdb.DuckDBPyConnection, value: str) -> None:
    assert format_of(value) is None
    assert read(con, [value]) == [None]


@pytest.mark.parametrize(
    "value",
    ["2019-02-30", "31/31/2019", "20191399", "25:61 on 2019-01-01", "31.31.19",
     "2019/10/7 下午15:05", "Mon Feb 30 13:55:36 2019"],
)  # fmt: skip
def test_a_day_that_never_was_is_refused(con: duckdb.DuckDBPyConnection, value: str) -> None:
    assert read(con, [value]) == [None]


def test_the_commonest_way_comes_first() -> None:
    assert formats_in(["2019-01-01", "1.2.2019", "x", "3.4.2019"]) == ["%1.%2.%Y", "iso"]


@pytest.mark.parametrize(
    ("dates", "first"),
    [
        (["01/02/2019", "13/02/2019 10:00"], True),
        (["01/02/2019", "02/13/2019"], False),
        (["01/02/2019"], None),
        (["13/02/2019", "02/13/2019"], None),
        (["2019-01-01"], None),
    ],
)
def test_a_number_above_twelve_tells_the_day(con, dates, first) -> None:
    make_source(con, dates)
    assert day_first(con, "at") is first


@pytest.mark.parametrize(
    ("value", "local"),
    [
        ("2019-10-01 00:00:00", True),
        ("31/12/2019 23:59", True),
        ("2019-10-01", True),
        ("20-05-2024", True),
        ("2019-10-01T00:00:00.123", True),
        ("2019-10-01 00:00:00 UTC", False),
        ("2019-10-01T00:00:00Z", False),
        ("2019-10-01T00:00:00+08:00", False),
        ("10/Oct/2000:13:55:36 -0700", False),
        ("1569888000", False),
        ("1569888000123", False),
        ("soon", False),
    ],
)
def test_a_time_says_its_zone_or_is_taken_as_local(value: str, local: bool) -> None:
    assert is_local(value) is local
