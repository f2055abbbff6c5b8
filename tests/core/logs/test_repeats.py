from collections.abc import Callable
from pathlib import Path

from core.logs.mapping import Mapping
from core.logs.proposal import inspect_log

Write = Callable[..., Path]


def test_bursts_of_equal_events_are_counted_with_the_worst_first(write: Write) -> None:
    path = write(
        "time,user,action,note\n"
        "2024-01-01 10:00:00,u1,view,a\n"
        "2024-01-01 10:00:00,u2,view,a\n"
        "2024-01-01 10:00:00,u1,view,b\n"  # differs in what is not kept
        "2024-01-01 10:00:01,u1,view,a\n"  # differs in its time
        "2024-01-01 10:00:00,u2,view,a\n"
        "2024-01-01 10:00:00,u2,view,a\n"
    )
    mapping = Mapping.model_validate({"columns": {"note": "ignore"}})
    assert inspect_log(path, mapping=mapping).quality["repeats"] == {
        "events": 3,
        "bursts": 2,
        "largest": [
            {"actor_id": "u2", "ts": "2024-01-01T10:00:00", "row": 2, "times": 3},
            {"actor_id": "u1", "ts": "2024-01-01T10:00:00", "row": 1, "times": 2},
        ],
    }
    mapping = Mapping.model_validate({"columns": {"note": "categorical"}})
    assert inspect_log(path, mapping=mapping).quality["repeats"]["events"] == 2
