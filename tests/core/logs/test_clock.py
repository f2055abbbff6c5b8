from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from core.logs.proposal import inspect_log

Write = Callable[..., Path]
START = datetime(2024, 1, 1)


def quality_of(write: Write, times: list[datetime]) -> dict:
    rows = [
        f"{time.isoformat()},u{number % 3},a{number % 2}\n" for number, time in enumerate(times)
    ]
    return inspect_log(write("time,user,item\n" + "".join(rows))).quality


def hourly(days: int) -> list[datetime]:
    return [START + timedelta(hours=hour) for hour in range(24 * days)]


def test_an_outage_is_found_and_nothing_else(write: Write) -> None:
    silent = (START + timedelta(days=5), START + timedelta(days=6, hours=3))
    times = [time for time in hourly(12) if not silent[0] < time < silent[1]]
    quality = quality_of(write, times)
    assert quality["gaps"] == {
        "found": 1,
        "usual_seconds": 3600.0,
        "longest": [
            {"from": "2024-01-06T00:00:00", "to": "2024-01-07T03:00:00", "seconds": 97200.0}
        ],
    }
    assert quality["notes"][-1] == (
        "No event for 27 hours after 2024-01-06 00:00; pauses here are usually under 60 minutes."
    )


def test_nights_are_no_gaps_but_a_day_without_an_event_is(write: Write) -> None:
    times = [time for time in hourly(12) if 6 <= time.hour < 23]
    assert quality_of(write, times)["gaps"]["found"] == 0
    gaps = quality_of(write, [time for time in times if time.day != 5])["gaps"]
    assert (gaps["found"], gaps["usual_seconds"]) == (1, 8 * 3600)


def test_a_log_too_short_to_know_its_pace_has_no_gaps(write: Write) -> None:
    times = [START, START + timedelta(seconds=1), START + timedelta(days=300)]
    gaps = quality_of(write, times)["gaps"]
    assert gaps == {"found": 0, "usual_seconds": None, "longest": []}


def test_a_clock_that_jumps_back_is_told_from_rows_slightly_late(write: Write) -> None:
    times = hourly(10)
    times[50] = times[49] - timedelta(seconds=59)  # late, no jump
    times[100] = times[99] - timedelta(days=1)
    quality = quality_of(write, times)
    assert quality["clock"] == {
        "out_of_order": 2,
        "out_of_order_share": 0.0083,
        "jumps": 1,
        "largest_jump_seconds": 86400.0,
        "largest_jump_row": 101,
        "before_1990": 0,
        "in_the_future": 0,
    }
    assert quality["notes"][-1] == (
        "Events older than a row above them: 2 of 240 (0.8 %). The clock runs back by more than "
        "a minute 1 time, by 24 hours at row 101."
    )


def test_a_row_is_late_as_long_as_any_row_above_is_newer(write: Write) -> None:
    times = hourly(10)
    times[10] = START + timedelta(hours=13, minutes=30)  # rows 12, 13 and 14 are older
    clock = quality_of(write, times)["clock"]
    assert (clock["out_of_order"], clock["jumps"]) == (3, 1)


def test_a_file_in_another_order_is_said_to_be_so(write: Write) -> None:
    quality = quality_of(write, hourly(10)[::-1])
    assert quality["clock"]["out_of_order_share"] == pytest.approx(239 / 240, abs=1e-4)
    assert "not in the order of time" in quality["notes"][-1]


def test_impossible_times_are_counted_and_left_out_of_the_picture(write: Write) -> None:
    future = datetime(2999, 1, 1)
    quality = quality_of(write, [*hourly(10), datetime(1970, 1, 1), future])
    assert (quality["clock"]["before_1990"], quality["clock"]["in_the_future"]) == (1, 1)
    assert quality["last_ts"] == "2999-01-01T00:00:00"
    assert quality["events_over_time"]["seconds"] == 3 * 3600
    assert [number for _, number in quality["events_over_time"]["events"]] == [3] * 80
    assert quality["gaps"]["found"] == 0
    assert "Events with an impossible time: 1 before 1990, 1 in the future." in quality["notes"][1]


def test_without_a_time_there_is_no_clock(write: Write) -> None:
    quality = inspect_log(write("user,item\nu1,a\nu1,b\nu2,a\n")).quality
    assert quality["events_over_time"] is None
    assert quality["gaps"] is None
    assert quality["clock"]["out_of_order_share"] is None
