import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.logs.importing import import_log
from core.logs.mapping import Mapping
from core.logs.proposal import inspect_log
from core.store.home import Home

Write = Callable[..., Path]


def test_the_quality_report_of_a_log(home: Home, write: Write) -> None:
    path = write(
        "time,user,action,item,ip\n"
        "2020-01-01,u1,view,a,p1\n"
        "2020-01-01,u1,view,a,p1\n"
        "2020-01-03 12:00,u1,buy,a,\n"
        "2020-01-02,u2,,b,p1\n"
        "never,u3,view,b,p1\n"
    )
    mapping = Mapping.model_validate({"sequence": {"by": "actor", "max_events": 2}})
    dataset = import_log(home, path, mapping=mapping)
    assert dataset.quality == {
        "rows": "all",
        "read": 5,
        "accepted": 4,
        "rejected": 1,
        "duplicate": 0,
        "rejected_by_reason": {"time cannot be read": 1},
        "rejected_rows": [
            {"line": 6, "reason": "time cannot be read", "raw": "never,u3,view,b,p1"}
        ],
        "missing": {"time": 0.0, "action": 0.25, "item": 0.0, "ip": 0.25},
        "filled": {},
        "masked": {},
        "order": "time",
        "first_ts": "2020-01-01T00:00:00",
        "last_ts": "2020-01-03T12:00:00",
        "days": 2.5,
        "events_over_time": {
            "seconds": 3600,
            "events": [
                ["2020-01-01T00:00:00", 2],
                ["2020-01-02T00:00:00", 1],
                ["2020-01-03T12:00:00", 1],
            ],
        },
        "gaps": {"found": 0, "usual_seconds": None, "longest": []},
        "clock": {
            "out_of_order": 1,
            "out_of_order_share": 0.25,
            "jumps": 1,
            "largest_jump_seconds": 129600.0,
            "largest_jump_row": 4,
            "before_1990": 0,
            "in_the_future": 0,
        },
        "repeats": {
            "events": 1,
            "bursts": 1,
            "largest": [{"actor_id": "u1", "ts": "2020-01-01T00:00:00", "row": 1, "times": 2}],
        },
        "outliers": {},
        "actors": 2,
        "single_event_actors": 1,
        "heaviest_actors": [
            {"actor_id": "u1", "events": 3, "share": 0.75},
            {"actor_id": "u2", "events": 1, "share": 0.25},
        ],
        "sequences": 3,
        "sequence_length": {
            "0%": 1, "25%": 1, "50%": 1, "75%": 2, "95%": 2, "99%": 2, "100%": 2,
        },
        "sequences_up_to": {"1": 2, "2": 1},
        "split_share": 0.3333,
        "actions": {"view": 2, "buy": 1, "missing": 1},
        "vocabulary": {
            "action": {"values": 2, "kept": 0, "other_share": 0.75},
            "item": {"values": 2, "kept": 1, "other_share": 0.25},
            "ip": {"values": 1, "kept": None, "other_share": None},
        },
        "undecodable": 0,
        "unread": {},
        "notes": [
            "Rows that cannot be used: 1 of 5 (20.0 %). Reasons: time cannot be read: 1.",
            "Events equal to an earlier one in every column: 1 of 4 (25.0 %); they are kept. "
            "Most often: 2 times, by u1, first in row 1.",
            "Events older than a row above them: 1 of 4 (25.0 %). The file is not in the order "
            "of time; events are sorted, so it does no harm.",
            "Values too rare or too many for a word of their own: action (75 % of events), "
            "item (25 % of events).",
            "33 % of the sequences reach the longest length allowed: what is longer continues in "
            "another sequence.",
        ],
    }  # fmt: skip
    assert json.loads(json.dumps(dataset.quality)) == dataset.quality


def test_the_quality_report_says_when_there_is_no_time(home: Home, write: Write) -> None:
    dataset = import_log(home, write("user,item\nu1,a\nu1,b\n"))
    assert dataset.quality["order"] == "row"
    assert dataset.quality["first_ts"] is None
    assert dataset.quality["notes"][0].startswith("No column holds a time")


def test_broken_characters_are_counted(home: Home, write: Write) -> None:
    rows = b"user,item\n" + b"u1,a\n" * 70_000 + b"u1,caf\xe9\n"
    dataset = import_log(home, write(rows))
    assert dataset.mapping["format"]["encoding"] == "utf-8"
    assert dataset.quality["undecodable"] == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gzip"])
def test_a_look_says_whether_it_saw_the_whole_file(
    write: Write, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    text = "time,user\n" + "2020-01-01,u1\n" * 30
    gz = encoding == "gzip"
    path = write(gzip.compress(text.encode()) if gz else text.encode(encoding), "log")
    quality = inspect_log(path).quality
    assert (quality["rows"], quality["notes"][0]) == ("whole", "In all 30 rows:")
    monkeypatch.setattr("core.logs.proposal._SAMPLE_CHARACTERS", 100)
    quality = inspect_log(path).quality
    assert (quality["rows"], quality["notes"][0]) == ("first", "In the first 6 rows:")


def test_a_log_without_a_flaw_has_no_note(write: Write) -> None:
    rows = [f"2020-01-{day:02},u{day % 2},view\n" for day in range(1, 29)]
    quality = inspect_log(write("time,user,action\n" + "".join(rows))).quality
    assert quality["notes"] == []


def test_characters_that_no_json_holds_do_not_get_into_the_report(write: Write) -> None:
    quality = inspect_log(write("user,price\nu1,1e999\nu1,2\nu1,3\n")).quality
    json.dumps(quality, allow_nan=False)


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["2020-01-01", "2020-01-02 10:00", "1969-01-01", "2999-01-01", "x", ""]),
        st.sampled_from(["u1", "u2", "u3", ""]),
        st.sampled_from(["view", "buy", ""]),
        st.sampled_from(["1", "2.5", "0", "-3", "many", ""]),
    ),
    min_size=1,
    max_size=30,
)


@pytest.mark.usefixtures("home")
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ROWS)
def test_all_counts_of_the_report_add_up(write: Write, rows: list[tuple[str, ...]]) -> None:
    path = write("time,user,action,price\n" + "".join(",".join(row) + "\n" for row in rows))
    mapping = {"roles": {"time": "time", "actor": "user", "action": "action", "amount": "price"}}
    quality = inspect_log(path, mapping=Mapping.model_validate(mapping)).quality
    if "problem" in quality:
        assert not any(time not in ("x", "") and user for time, user, _, _ in rows)
        return
    accepted = quality["accepted"]
    assert quality["read"] == len(rows)
    assert quality["read"] == accepted + quality["rejected"] + quality["duplicate"]
    assert sum(quality["rejected_by_reason"].values()) == quality["rejected"]
    clock = quality["clock"]
    drawn = quality["events_over_time"]
    plausible = sum(number for _, number in drawn["events"]) if drawn else 0
    assert plausible + clock["before_1990"] + clock["in_the_future"] == accepted
    assert clock["jumps"] <= clock["out_of_order"] < accepted
    assert sum(actor["events"] for actor in quality["heaviest_actors"]) == accepted
    assert sum(quality["sequences_up_to"].values()) == quality["sequences"]
    assert sum(quality["actions"].values()) == accepted
    assert quality["repeats"]["events"] == accepted - len(
        {
            (time, user, action, price if price != "many" else "")
            for time, user, action, price in rows
            if time not in ("x", "") and user
        }
    )
