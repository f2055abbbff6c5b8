"""A log that grew adds what is new, and is then as if it had been imported at once."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import BadInput, Conflict, NotFound
from core.logs import importing
from core.logs.frames import read_events, read_rejected, read_sequences
from core.logs.importing import dataset_of, import_log
from core.logs.mapping import Mapping
from core.store import datasets
from core.store.datasets import Dataset
from core.store.home import Home, open_home

Write = Callable[..., Path]

HEADER = "time,user,item,action,price\n"
OLD = (
    "2020-01-01 10:00:00,u1,i1,view,5\n"
    "2020-01-01 10:00:00,u1,i1,view,5\n"  # repeated: behaviour
    "2020-01-01 10:01:00,u2,i1,view,4\n"
    "yesterday,u2,i1,view,4\n"
)
NEW = (
    "2020-01-01 10:00:30,u3,i1,view,7\n"  # late
    "2020-01-01 10:02:00,u1,i2,cart,\n"
    "2020-01-01 10:02:00,,i2,cart,1\n"
)
ROLES = {"roles": {"time": "time", "actor": "user", "item": "item", "action": "action"}}
GIVEN = Mapping.model_validate({**ROLES, "columns": {"price": "numeric"}})


def counts(dataset: Dataset) -> tuple[int, int, int, int]:
    return dataset.read, dataset.accepted, dataset.rejected, dataset.duplicate


def content(home: Home, dataset_id: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return events by row, and sequences by actor and time, without the ids of sequences."""
    events = read_events(home, dataset_id).drop(columns="sequence_id")
    sequences = read_sequences(home, dataset_id).drop(columns=["sequence_id", "partition"])
    return (
        events.sort_values("row").reset_index(drop=True),
        sequences.sort_values(["actor_id", "first_ts"]).reset_index(drop=True),
    )


def assert_alike(home: Home, one: str, other: str) -> None:
    for got, wanted in zip(content(home, one), content(home, other), strict=True):
        pd.testing.assert_frame_equal(got, wanted, check_like=True)


def test_a_grown_file_adds_only_what_is_new(home: Home, write: Write) -> None:
    first = import_log(home, write(HEADER + OLD, "log.csv"), mapping=GIVEN)
    before = read_sequences(home, first.id)
    grown = import_log(home, write(HEADER + OLD + NEW, "log.csv"), into=first.id)
    assert (grown.id, counts(first), counts(grown)) == (first.id, (4, 3, 1, 0), (11, 5, 2, 4))
    assert set(before["sequence_id"]) < set(read_sequences(home, first.id)["sequence_id"])
    assert read_rejected(home, first.id)["raw"].tolist() == [
        "yesterday,u2,i1,view,4",
        "2020-01-01 10:02:00,,i2,cart,1",
    ]
    assert grown.quality["rejected_by_reason"] == {"time cannot be read": 1, "no actor": 1}
    with home.engine.connect() as con:
        assert datasets.get(con, first.id) == grown


def test_a_file_of_new_rows_only_goes_on_where_the_last_ended(home: Home, write: Write) -> None:
    first = import_log(home, write(HEADER + OLD, "monday.csv"), mapping=GIVEN)
    grown = import_log(home, write(HEADER + NEW, "tuesday.csv"), into=first.id)
    assert counts(grown) == (7, 5, 2, 0)
    assert sorted(read_events(home, first.id)["row"]) == [1, 2, 3, 4, 5]


def test_a_file_that_did_not_grow_changes_nothing(home: Home, write: Write) -> None:
    path = write(HEADER + OLD)
    first = import_log(home, path)
    assert dataset_of(home, path) == first
    assert import_log(home, path, into=first.id) == first
    assert dataset_of(home, path.with_name("other.csv")) is None


def test_every_file_that_was_added_is_known_to_belong_to_its_data_set(
    home: Home, write: Write
) -> None:
    monday = write(HEADER + OLD, "monday.csv")
    first = import_log(home, monday, mapping=GIVEN)
    tuesday = write(HEADER + NEW, "tuesday.csv")
    for path in (tuesday, write(HEADER + OLD + NEW * 2, "monday.csv")):
        grown = import_log(home, path, into=first.id)
    assert dataset_of(home, monday) == dataset_of(home, tuesday) == grown
    assert grown.sources == [str(monday), str(tuesday)]
    assert dataset_of(home, monday.with_name("day.csv")) is None  # though a name ends like it


def test_one_more_of_an_event_that_is_held_twice_is_new(home: Home, write: Write) -> None:
    first = import_log(home, write(HEADER + OLD))
    once_more = OLD + OLD.splitlines(keepends=True)[0]
    grown = import_log(home, write(HEADER + once_more), into=first.id)
    assert (grown.accepted, grown.quality["repeats"]["events"]) == (4, 2)


def test_where_repeats_are_dropped_one_more_is_a_repeat(home: Home, write: Write) -> None:
    drop = Mapping.model_validate({"duplicates": "drop"})
    first = import_log(home, write(HEADER + OLD), mapping=drop)
    assert counts(first) == (4, 2, 1, 1)
    again = OLD + OLD.splitlines(keepends=True)[0] + NEW
    grown = import_log(home, write(HEADER + again), into=first.id)
    assert (grown.accepted, grown.rejected) == (4, 2)


def test_an_event_id_that_is_held_is_a_duplicate(home: Home, write: Write) -> None:
    roles = Mapping.model_validate({"roles": {"event_id": "id"}})
    first = import_log(home, write("id,user,item\n1,u1,a\n2,u1,b\n"), mapping=roles)
    grown = import_log(home, write("id,user,item\n2,u1,c\n3,u1,d\n"), into=first.id)
    assert counts(grown) == (4, 3, 0, 1)
    assert sorted(read_events(home, first.id)["item"]) == ["a", "b", "d"]


def test_filled_in_numbers_do_not_make_a_held_event_new(home: Home, write: Write) -> None:
    fill = Mapping.model_validate({"impute": {"price": "median"}})
    text = HEADER + OLD + "2020-01-01 10:05:00,u2,i1,view,\n"
    first = import_log(home, write(text), mapping=fill)
    assert import_log(home, write(text), into=first.id) == first


def test_what_does_not_fit_is_refused_and_leaves_the_data_set_alone(
    home: Home, write: Write
) -> None:
    first = import_log(home, write(HEADER + OLD))
    before = content(home, first.id)
    with pytest.raises(BadInput, match="does not have"):
        import_log(home, write("when,who\n2020-01-01,u1\n2020-01-02,u1\n"), into=first.id)
    with pytest.raises(BadInput, match="takes its mapping and its name"):
        import_log(home, write(HEADER + OLD), into=first.id, name="other")
    with pytest.raises(NotFound, match="no data set 'nothing'"):
        import_log(home, write(HEADER + OLD), into="nothing")
    for got, wanted in zip(content(home, first.id), before, strict=True):
        pd.testing.assert_frame_equal(got, wanted)


def test_columns_that_came_later_are_left_out_and_said(home: Home, write: Write) -> None:
    first = import_log(home, write(HEADER + OLD, "log.csv"), mapping=GIVEN)
    more = "\n".join(line + ",app" for line in (OLD + NEW).splitlines())
    path = write(f"{HEADER.strip()},channel\n{more}\n", "log.csv")
    grown = import_log(home, path, into=first.id)
    assert counts(grown) == (11, 5, 3, 3)  # the rejected row does not read as it did
    note = "Left out, because the data set was made without: channel."
    assert note in grown.quality["notes"]
    assert "channel" not in read_events(home, first.id)
    again = import_log(
        home, write(path.read_text() + "2020-01-02,u1,i1,view,5,web\n"), into=grown.id
    )
    assert (again.accepted, note in again.quality["notes"]) == (6, False)


def test_objects_may_lack_a_key_that_others_had_but_not_what_plays_a_part(
    home: Home, write: Write
) -> None:
    def objects(*keys: str) -> str:
        one = {"user": "u1", "time": 1577872800, "action": "view", "coupon": "A", "spare": "x"}
        return "\n".join(json.dumps({key: one[key] for key in keys}) for _ in range(3))

    told = {"roles": {"actor": "user", "time": "time", "action": "action"}}
    mapping = Mapping.model_validate({**told, "columns": {"coupon": "categorical"}})
    path = write(objects("user", "time", "action", "coupon", "spare"), "monday.jsonl")
    first = import_log(home, path, mapping=mapping)
    grown = import_log(
        home, write(objects("time", "user", "action"), "tuesday.jsonl"), into=first.id
    )
    assert grown.accepted == 6
    assert "No row that was added says: coupon." in grown.quality["notes"]
    assert sorted(read_events(home, first.id)["coupon"].fillna("")) == ["", "", "", "A", "A", "A"]
    with pytest.raises(BadInput, match="'action', which the file does not have"):
        import_log(home, write(objects("user", "time"), "wednesday.jsonl"), into=first.id)


def test_two_imports_at_the_same_time_do_not_lose_rows(
    home: Home, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = import_log(home, write(HEADER + OLD, "a.csv"), mapping=GIVEN)
    faster = write(HEADER + NEW, "b.csv")
    build = importing.build

    def overtaken(*given: object) -> object:
        monkeypatch.setattr(importing, "build", build)
        import_log(home, faster, into=first.id)
        return build(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(importing, "build", overtaken)
    with pytest.raises(Conflict, match="Import again"):
        import_log(home, write(HEADER + OLD + OLD, "c.csv"), into=first.id)
    with home.engine.connect() as con:
        assert datasets.get(con, first.id).accepted == 5
    assert len(read_events(home, first.id)) == 5


ROW = st.tuples(
    st.sampled_from("01234"),
    st.sampled_from(["u1", "u2", ""]),
    st.sampled_from(["i1", "i2"]),
    st.sampled_from(["view", "buy"]),
    st.sampled_from(["1", "2", ""]),
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(ROW, min_size=2, max_size=12), at=st.integers(1, 11))
def test_wherever_a_log_is_cut_its_parts_make_the_whole(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], at: int
) -> None:
    folder = tmp_path_factory.mktemp("grown")
    home = open_home(folder / "home")
    lines = [f"2020-01-01 10:0{minute}:00,{','.join(rest)}\n" for minute, *rest in rows]
    actions = "".join(f"2020-01-01 09:00:00,u0,i0,{action},1\n" for action in ("buy", "view"))
    log = folder / "log.csv"
    log.write_text(HEADER + actions + "".join(lines[:at]))
    first = import_log(home, log, mapping=GIVEN)
    log.write_text(HEADER + actions + "".join(lines))
    grown = import_log(home, log, into=first.id)
    whole = import_log(home, log, mapping=GIVEN, name="whole")
    assert (grown.accepted, grown.rejected) == (whole.accepted, whole.rejected)
    assert_alike(home, first.id, whole.id)
