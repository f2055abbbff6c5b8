import json
from collections.abc import Callable
from pathlib import Path

from core.logs.importing import import_log
from core.logs.mapping import Mapping
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
        "read": 5,
        "accepted": 4,
        "rejected": 1,
        "duplicate": 0,
        "repeated": 1,
        "rejected_by_reason": {"time cannot be read": 1},
        "missing": {"time": 0.0, "action": 0.25, "item": 0.0, "ip": 0.25},
        "order": "time",
        "first_ts": "2020-01-01T00:00:00",
        "last_ts": "2020-01-03T12:00:00",
        "days": 2.5,
        "actors": 2,
        "single_event_actors": 1,
        "heaviest_actors": [
            {"actor_id": "u1", "events": 3},
            {"actor_id": "u2", "events": 1},
        ],
        "sequences": 3,
        "sequence_length": {
            "0%": 1, "25%": 1, "50%": 1, "75%": 2, "95%": 2, "99%": 2, "100%": 2,
        },
        "split_share": 0.3333,
        "actions": {"view": 2, "buy": 1, "missing": 1},
        "undecodable": 0,
        "notes": ["1 rows repeat an earlier row; they are kept."],
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
