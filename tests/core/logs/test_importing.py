import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from core.errors import BadInput, Cancelled, Conflict, NotFound
from core.logs.engine import connect
from core.logs.frames import (
    actions,
    partitions,
    read_events,
    read_mapping,
    read_rejected,
    read_sequences,
)
from core.logs.importing import import_log
from core.logs.mapping import Mapping, Roles
from core.store import datasets
from core.store.datasets import Dataset
from core.store.home import Home

Write = Callable[..., Path]

SHOP = (
    "time,user,session,action,item,price\n"
    "2020-01-01 10:00:00,u2,s2,view,i1,5\n"
    "2020-01-01 09:00:00,u1,s1,view,i1,4.50\n"
    "2020-01-01 09:00:00,u1,s1,cart,i1,\n"
    "2020-01-02 09:00:00,u1,s3,view,i2,7\n"
)


def lost(dataset: Dataset) -> int:
    return dataset.read - dataset.accepted - dataset.rejected - dataset.duplicate


def files_of(home: Home) -> list[str]:
    return sorted(
        str(path.relative_to(home.path))
        for path in home.path.rglob("*")
        if path.is_file() and not path.name.startswith(("spoor.db", "migrate.lock"))
    )


def test_a_log_becomes_events_in_sequences(home: Home, write: Write) -> None:
    dataset = import_log(home, write(SHOP, "my shop.csv"))
    assert (dataset.id, dataset.name) == ("my-shop", "my shop")
    assert (dataset.read, dataset.accepted, dataset.actors, dataset.sequences) == (4, 4, 2, 3)
    events = read_events(home, dataset.id)
    canonical = events.iloc[:, :10].sort_values("row").drop(columns="sequence_id")
    time = pd.Timestamp("2020-01-01 09:00:00", tz="UTC")
    expected = pd.DataFrame(
        {
            "actor_id": ["u2", "u1", "u1", "u1"],
            "session_id": ["s2", "s1", "s1", "s3"],
            "event_id": pd.array([None] * 4, "str"),
            "ts": [time + pd.Timedelta(hours=1), time, time, time + pd.Timedelta(days=1)],
            "row": [1, 2, 3, 4],
            "position": [0, 0, 1, 0],
            "action": ["view", "view", "cart", "view"],
            "item": ["i1", "i1", "i1", "i2"],
            "amount": [5, 4.5, None, 7],
        }
    ).astype({"ts": "datetime64[us, UTC]"})
    pd.testing.assert_frame_equal(canonical.reset_index(drop=True), expected)
    assert files_of(home) == [
        f"datasets/my-shop/{name}"
        for name in (
            "actions.json",
            "events/part-0000.parquet",
            "mapping.json",
            "rejected.parquet",
            "sequences.parquet",
        )
    ]


def test_what_was_imported_is_read_back_in_order(home: Home, write: Write) -> None:
    dataset = import_log(home, write(SHOP))
    sequences, events = read_sequences(home, dataset.id), read_events(home, dataset.id)
    assert sequences["actor_id"].tolist() == ["u1", "u1", "u2"]
    assert sequences["events"].tolist() == [2, 1, 1]
    assert sequences["first_ts"].dt.day.tolist() == [1, 2, 1]
    assert events["sequence_id"].unique().tolist() == sequences["sequence_id"].tolist()
    assert read_mapping(home, dataset.id).model_dump(mode="json") == dataset.mapping
    assert actions(home, dataset.id) == ["view", "cart"]
    assert partitions(home, dataset.id) == 1
    one = read_events(home, dataset.id, sequences=[sequences["sequence_id"][2]])
    pd.testing.assert_frame_equal(one, events.tail(1).reset_index(drop=True))
    both = read_events(home, dataset.id, actors=["u1"], partition=0)
    pd.testing.assert_frame_equal(both, events.head(3))
    assert read_events(home, dataset.id, actors=["nobody"]).empty
    with pytest.raises(NotFound, match="not 7"):
        read_events(home, dataset.id, partition=7)
    with pytest.raises(NotFound, match="no data set 'other'"):
        read_events(home, "other")


def test_many_events_lie_in_parts_by_actor(
    home: Home, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.logs.building.EVENTS_PER_PART", 10)
    rows = [f"u{number % 17},i{number}" for number in range(50)]
    dataset = import_log(home, write("user,item\n" + "\n".join(rows) + "\n"))
    assert 5 <= partitions(home, dataset.id) <= 10
    parts = [
        read_events(home, dataset.id, partition=part)
        for part in range(partitions(home, dataset.id))
    ]
    assert max(map(len, parts)) <= 10
    assert sum(map(len, parts)) == 50
    assert sum(part["actor_id"].nunique() for part in parts) == 17
    pd.testing.assert_frame_equal(
        pd.concat([part for part in parts if len(part)], ignore_index=True),
        read_events(home, dataset.id),
        check_dtype=False,
    )
    some = read_events(home, dataset.id, actors=["u3", "u4"])
    assert sorted(some["item"]) == ["i20", "i21", "i3", "i37", "i38", "i4"]


def test_rejected_rows_keep_their_line_reason_and_text(home: Home, write: Write) -> None:
    path = write(
        "user,time,item\nu1,2020-01-01,a\n,2020-01-01,b\n\nu1,yesterday,c\nu1,,d\nu1,2020-01-01\n"
    )
    dataset = import_log(home, path)
    assert (dataset.read, dataset.accepted, dataset.rejected) == (5, 1, 4)
    assert read_rejected(home, dataset.id).to_dict("split")["data"] == [
        [3, "no actor", ",2020-01-01,b"],
        [5, "time cannot be read", "u1,yesterday,c"],
        [6, "no time", "u1,,d"],
        [7, "2 fields instead of 3", "u1,2020-01-01"],
    ]
    assert dataset.quality["rejected_by_reason"]["no time"] == 1


def test_rejected_rows_of_several_files_name_the_file(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "a.csv").write_text("user,item\nu1,x\nu1,y\n")
    (folder / "b.csv").write_text("user,item\nu1,z\nu1\n")
    dataset = import_log(home, folder)
    assert (dataset.id, dataset.accepted) == ("log", 3)
    assert read_rejected(home, dataset.id)["reason"].tolist() == ["1 fields instead of 2 in b.csv"]


@pytest.mark.parametrize(
    "written",
    [
        "2019-10-01 12:30:00 UTC",
        "2019-10-01T12:30:00Z",
        "2019-10-01T14:30:00+02:00",
        "2019/10/01 12:30:00",
        "1569933000",
        "1569933000.0",
        "1569933000000",
        "1569933000000000",
        "20191001123000",
    ],
)
def test_a_time_is_read_as_utc(home: Home, write: Write, written: str) -> None:
    dataset = import_log(home, write(f"user,time\nu1,{written}\n"))
    assert read_events(home, dataset.id)["ts"][0] == pd.Timestamp("2019-10-01 12:30", tz="UTC")


def test_days_are_times_and_identifiers_keep_their_zeros(home: Home, write: Write) -> None:
    dataset = import_log(home, write("user time\n00001 19970112\n00001 19970101\n"))
    events = read_events(home, dataset.id)
    assert events["actor_id"].tolist() == ["00001", "00001"]
    assert events["ts"].dt.strftime("%Y-%m-%d").tolist() == ["1997-01-01", "1997-01-12"]


def test_repeated_rows_are_kept_and_reported(home: Home, write: Write) -> None:
    path = write("user,item\nu1,a\nu1,a\nu2,a\n")
    dataset = import_log(home, path)
    assert (dataset.accepted, dataset.duplicate, dataset.quality["repeats"]["events"]) == (3, 0, 1)
    dropped = import_log(home, path, mapping=Mapping(duplicates="drop"))
    assert (dropped.read, dropped.accepted, dropped.duplicate) == (3, 2, 1)
    assert read_events(home, dropped.id)["row"].tolist() == [1, 3]


def test_an_event_id_counts_once(home: Home, write: Write) -> None:
    path = write("user,key,item\nu1,e1,a\nu1,e1,b\nu1,,c\nu1,,d\n")
    dataset = import_log(home, path, mapping=Mapping(roles=Roles(actor="user", event_id="key")))
    assert (dataset.read, dataset.accepted, dataset.duplicate) == (4, 3, 1)
    assert read_events(home, dataset.id)["row"].tolist() == [1, 3, 4]


def test_a_gap_starts_a_new_sequence_only_when_it_exceeds_the_limit(
    home: Home, write: Write
) -> None:
    path = write("user,time\n" + "".join(f"u1,{1_600_000_000 + at}\n" for at in (0, 60, 121, 122)))
    rule = {"sequence": {"by": "gap", "gap_minutes": 1}}
    dataset = import_log(home, path, mapping=Mapping.model_validate(rule))
    assert read_sequences(home, dataset.id)["events"].tolist() == [2, 2]
    assert read_events(home, dataset.id)["position"].tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("by", ["actor", "window"])
def test_long_sequences_continue_in_a_further_one(home: Home, write: Write, by: str) -> None:
    path = write("user,item\n" + "".join(f"u1,{number}\n" for number in range(7)))
    rule = {"sequence": {"by": by, "max_events": 3}}
    dataset = import_log(home, path, mapping=Mapping.model_validate(rule))
    assert read_sequences(home, dataset.id)["events"].tolist() == [3, 3, 1]
    assert read_events(home, dataset.id)["item"].tolist() == [str(number) for number in range(7)]


def test_a_session_shared_by_actors_is_a_sequence_of_each(home: Home, write: Write) -> None:
    dataset = import_log(home, write("user,session\nu1,s1\nu2,s1\nu1,s1\n"))
    sequences = read_sequences(home, dataset.id)
    assert sequences[["actor_id", "session_id", "events"]].to_numpy().tolist() == [
        ["u1", "s1", 2],
        ["u2", "s1", 1],
    ]


def test_a_sequence_that_spans_sessions_is_one_and_has_none(home: Home, write: Write) -> None:
    log = write("user,session\nu1,s1\nu1,s1\nu1,s2\nu1,s2\nu1,s3\nu1,s3\nu2,s4\nu2,s4\n")
    by_actor = Mapping.model_validate({"sequence": {"by": "actor"}})
    dataset = import_log(home, log, mapping=by_actor)
    sequences = read_sequences(home, dataset.id)
    found = sequences[["actor_id", "events", "session_id"]].astype(object)
    assert found.where(found.notna(), None).to_numpy().tolist() == [
        ["u1", 6, None],
        ["u2", 2, "s4"],
    ]
    assert dataset.sequences == 2
    assert len(read_events(home, dataset.id)) == dataset.accepted == 8


def test_sequences_keep_their_id_when_the_log_grows(home: Home, write: Write) -> None:
    rule = Mapping.model_validate({"sequence": {"by": "gap", "gap_minutes": 1}})
    text = "user,time\nu1,1600000000\nu1,1600000600\n"
    before = import_log(home, write(text), mapping=rule)
    ids = read_sequences(home, before.id)["sequence_id"].tolist()
    datasets.delete_dataset(home, before.id)
    after = import_log(home, write(text + "u0,1600000000\nu1,1600000610\n"), mapping=rule)
    assert after.id == before.id
    assert set(ids) < set(read_sequences(home, after.id)["sequence_id"])


def test_a_taken_name_is_numbered(home: Home, write: Write) -> None:
    path = write(SHOP)
    assert [import_log(home, path, name="Große Liste!").id for _ in range(3)] == [
        "große-liste",
        "große-liste-2",
        "große-liste-3",
    ]


def test_a_mapping_corrects_the_proposal_and_the_rest_is_proposed(home: Home, write: Write) -> None:
    mapping = Mapping.model_validate(
        {"roles": {"actor": "item", "session": None}, "columns": {"user": "entity"}}
    )
    dataset = import_log(home, write(SHOP), mapping=mapping)
    assert dataset.mapping["roles"] == {
        "actor": "item", "session": None, "time": "time", "action": "action", "item": None,
        "amount": "price", "event_id": None,
    }  # fmt: skip
    assert dataset.mapping["columns"] == {"user": "entity", "session": "entity"}
    assert dataset.mapping["sequence"]["by"] == "actor"


def test_an_import_is_stopped_before_it_is_there_or_not_at_all(home: Home, write: Write) -> None:
    def stop_too_late(share: float, message: str) -> None:
        if home.dataset_dir("log").exists():
            raise Cancelled

    assert import_log(home, write(SHOP), name="log", progress=stop_too_late).id == "log"


def test_progress_rises_to_one(home: Home, write: Write) -> None:
    told: list[tuple[float, str]] = []
    import_log(home, write(SHOP), progress=lambda share, message: told.append((share, message)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert all(message for _, message in told)


@pytest.mark.parametrize(
    ("content", "mapping", "message"),
    [
        ("", {}, "empty"),
        ("user,item\n", {}, "no row below its header.*user, item"),
        ("x,y\n1.5,2\n2.5,2\n", {}, "says who acts.*Columns: x, y"),
        ("user,item\nu1,a\nu2,a\n", {"roles": {"actor": "user"}}, "no order"),
        (SHOP, {"roles": {"actor": "buyer"}}, "'buyer'.*Its columns: time, user"),
        (SHOP, {"columns": {"colour": "text"}}, "'colour'.*Its columns: time, user"),
        (SHOP, {"roles": {"time": "item"}}, "None of the 4 rows.*time cannot be read: 4"),
        (SHOP, {"roles": {"session": None}, "sequence": {"by": "session"}}, "role 'session'"),
        (SHOP, {"roles": {"time": None}, "sequence": {"by": "gap"}}, "role 'time'"),
        (SHOP, {"format": {"kind": "parquet"}}, "not Parquet"),
    ],
)
def test_what_cannot_be_imported_leaves_nothing_behind(
    home: Home, write: Write, content: str, mapping: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        import_log(home, write(content), mapping=Mapping.model_validate(mapping))
    assert files_of(home) == []
    with home.engine.connect() as con:
        assert datasets.all_datasets(con).empty


def test_an_import_that_is_stopped_leaves_nothing_behind(home: Home, write: Write) -> None:
    def stop(share: float, message: str) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_log(home, write(SHOP), progress=stop)
    assert files_of(home) == []


def test_of_two_imports_under_one_name_at_the_same_time_one_is_refused(
    home: Home, write: Write
) -> None:
    path = write(SHOP)

    def import_meanwhile(share: float, message: str) -> None:
        if message == "writing":
            import_log(home, path)

    with pytest.raises(Conflict, match="wrote the data set 'log' meanwhile"):
        import_log(home, path, progress=import_meanwhile)
    with home.engine.connect() as con:
        assert datasets.all_datasets(con)["id"].tolist() == ["log"]
    assert len(read_events(home, "log")) == 4


def test_a_data_set_is_known_only_once_its_files_are_in_place(
    home: Home, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(con: object, dataset: Dataset) -> None:
        assert len(read_events(home, dataset.id)) == 4
        raise RuntimeError("the database went away")

    monkeypatch.setattr("core.logs.importing.datasets.add", fail)
    with pytest.raises(RuntimeError, match="went away"):
        import_log(home, write(SHOP))
    assert files_of(home) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Shop 3_Oct (1).v2", "shop-3-oct-1-v2"),
        ("优惠券订单 2024", "优惠券订单-2024"),
        ("../../etc", "etc"),
        ("…", "log"),
        ("订" * 90, "订" * 40),
    ],
)
def test_an_id_can_be_read_and_typed(home: Home, write: Write, name: str, expected: str) -> None:
    found = import_log(home, write(SHOP), name=name)
    assert found.id == expected
    assert len(read_events(home, found.id)) == 4


def test_a_folder_that_nobody_registered_keeps_its_name(home: Home, write: Write) -> None:
    (home.dataset_dir("log") / "events").mkdir(parents=True)
    assert import_log(home, write(SHOP)).id == "log-2"


@pytest.mark.parametrize("seed", range(4))
def test_no_row_is_ever_lost(home: Home, write: Write, seed: int) -> None:
    rng = random.Random(seed)
    pieces = ["u1", "u2", ",", ",", ",", "2020-01-01", '"', "\n", "\n", "x", "", " ", "ü", "\t"]
    text = "".join(rng.choice(pieces) for _ in range(400))
    lines = "u1,2020-01-01,a\n" * 5 + text + "\n"
    mapping = Mapping.model_validate(
        {"roles": {"actor": "user", "time": "time", "event_id": "id"}, "format": {"delimiter": ","}}
    )
    dataset = import_log(home, write("user,time,id\n" + lines), mapping=mapping)
    assert lost(dataset) == 0
    assert len(read_events(home, dataset.id)) == dataset.accepted
    assert len(read_rejected(home, dataset.id)) == dataset.rejected


REAL = [
    ("rees46_shop/events.csv.gz", {}, (17_435, 17_434, 1, 4_504, 5_067)),
    ("trivago_sessions/events.parquet", {}, (100_003, 100_003, 0, 6_593, 7_644)),
    ("hdfs_sessions/events.parquet", {}, (222_579, 222_579, 0, 11_501, 11_501)),
    (
        "shopee_orders/orders.csv.gz",
        {"roles": {"actor": "shopid"}, "sequence": {"max_events": 4_096}},
        (53_432, 53_432, 0, 489, 492),
    ),
    ("cdnow/purchases.txt.gz", {}, (69_659, 69_659, 0, 23_570, 23_570)),
    ("amazon_reviewers/ratings.txt", {}, (51_346, 51_346, 0, 4_902, 4_902)),
    ("ad_clicks/clicks.csv.gz", {}, (100_000, 100_000, 0, 34_857, 34_864)),
]  # fmt: skip


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "mapping", "expected"), REAL)
def test_a_real_log_is_imported_whole(
    home: Home,
    real: Callable[[str], Path],
    name: str,
    mapping: dict[str, Any],
    expected: tuple[int, ...],
) -> None:
    dataset = import_log(home, real(name), mapping=Mapping.model_validate(mapping))
    found = (
        dataset.read, dataset.accepted, dataset.rejected, dataset.actors, dataset.sequences,
    )  # fmt: skip
    assert found == expected
    if name.startswith("shopee"):
        heaviest = dataset.quality["heaviest_actors"][0]["events"]
        busiest = read_sequences(home, dataset.id)["userid_top_hour_ratio"]
        assert (heaviest, int((busiest >= 3).sum())) == (11_703, 276)


@pytest.mark.realdata
def test_a_table_without_actors_is_refused(home: Home, real: Callable[[str], Path]) -> None:
    with pytest.raises(BadInput, match=r"says who acts.*column_1, column_2"):
        import_log(home, real("online_shoppers/sessions_no_header.csv.gz"))
    assert files_of(home) == []


def fill_memory(scratch: Path) -> None:
    with connect(scratch) as con:
        con.execute("SET memory_limit = '2MB'; SET max_temp_directory_size = '0MB'")
        con.execute("CREATE TABLE much AS SELECT md5(CAST(range AS VARCHAR)) FROM range(1000000)")


def test_a_log_that_memory_cannot_hold_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"(?s)needs more memory.*make room") as refused:
        fill_memory(tmp_path)
    assert "damaged" not in str(refused.value)
