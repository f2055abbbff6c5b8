"""Facts against a slow, plain Python reading of what they mean."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.logs.building import build
from core.logs.engine import connect, scratch_folder
from core.logs.events import create_events
from core.logs.frames import read_events, read_sequences
from core.logs.importing import import_log
from core.logs.mapping import Mapping
from core.logs.measuring import measure_actor, measure_sequences
from core.store.home import Home

TIMED = Mapping.model_validate(
    {
        "roles": {"actor": "user", "time": "at", "action": "what", "item": "item",
                  "amount": "price", "session": None, "event_id": None},
        "columns": {"ip": "entity", "stars": "numeric"},
    }
)  # fmt: skip
TIMELESS = Mapping.model_validate(
    {
        "roles": {"actor": "user", "time": None, "action": "what", "item": "item",
                  "amount": None, "session": None, "event_id": None},
        "columns": {"ip": "entity", "stars": "numeric", "at": "ignore", "price": "ignore"},
    }
)  # fmt: skip

BASE = 1_600_000_000  # 2020-09-13 12:26:40 UTC

EVENT = st.fixed_dictionaries(
    {
        "user": st.sampled_from(["u1", "u2", "u3"]),
        "at": st.sampled_from([0, 0, 5, 10, 11, 60, 61, 1800, 3600, 3601, 7200]).map(
            lambda seconds: BASE + seconds
        ),
        "what": st.sampled_from(["view", "buy"]),
        "item": st.sampled_from(["i1", "i2", None]),
        "price": st.sampled_from([1, 2, 4, None]),
        "ip": st.sampled_from(["p1", "p2", None]),
        "stars": st.sampled_from([1, 5, None]),
    }
)
LOGS = st.lists(EVENT, min_size=1, max_size=14)
SLOW = settings(max_examples=10, deadline=None)


def measure(log: list[dict[str, Any]], mapping: Mapping) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the events by row and the sequences of a log, without files."""
    rows = pd.DataFrame(log).astype(object)
    rows = rows.where(rows.notna(), None).map(lambda cell: None if cell is None else str(cell))
    rows = rows.astype("str")
    numbers = range(1, len(log) + 1)
    rows = rows.assign(**{"@row": numbers, "@line": numbers, "@text": [str(e) for e in log]})
    with scratch_folder() as scratch, connect(scratch) as con:
        con.register("rows", rows)
        con.execute(
            """CREATE VIEW source AS SELECT *, NULL AS "@refused", NULL AS "@file" FROM rows"""
        )
        folder = scratch / "dataset"
        folder.mkdir()
        build(con, mapping, "log", create_events(con, mapping), folder, lambda share, said: None)
        return tuple(
            con.execute(f"FROM '{folder}/{files}' ORDER BY \"{by}\"").df()
            for files, by in (("events/*.parquet", "row"), ("sequences.parquet", "sequence_id"))
        )


def cells(frame: pd.DataFrame) -> list[list[Any]]:
    """Return a frame's cells with None for what is missing."""
    plain = frame.astype(object)
    return plain.where(plain.notna(), None).to_numpy().tolist()


def plain_facts(log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Compute timed facts event by event, looking only at what came before."""
    order = sorted(range(len(log)), key=lambda row: (log[row]["at"], row))
    facts: list[dict[str, Any]] = [{} for _ in log]
    for place, row in enumerate(order):
        event = log[row]
        before = [log[earlier] for earlier in order[:place]]
        own = [past for past in before if past["user"] == event["user"]]
        others = [past for past in before if past["user"] != event["user"]]

        def recent(events: list[dict[str, Any]], seconds: int, now: int) -> list[dict[str, Any]]:
            return [past for past in events if past["at"] >= now - seconds]

        now = event["at"]
        hour = [*recent(own, 3600, now), event]
        fact: dict[str, Any] = {
            "nth": len(own) + 1,
            "gap": now - own[-1]["at"] if own else None,
            "burst_10s": len(recent(own, 10, now)) + 1,
            "burst_1m": len(recent(own, 60, now)) + 1,
            "actor_1h": len(hour),
            "items_1h": len({past["item"] for past in hour} - {None}),
            "ip_distinct_1h": len({past["ip"] for past in hour} - {None}),
        }
        fact["ip_ratio_1h"] = len(hour) / fact["ip_distinct_1h"] if fact["ip_distinct_1h"] else None
        run = 1
        while run <= len(own) and own[-run]["what"] == event["what"]:
            run += 1
        fact["repeat_action"] = run
        if (item := event["item"]) is not None:
            on_item = [past for past in before if past["item"] == item]
            by_others = [past for past in others if past["item"] == item]
            in_hour = [*recent(on_item, 3600, now), event]
            same = bool(own) and own[-1]["item"] == item
            fact |= {
                "same_item": "yes" if same else "no",
                "item_own": len(on_item) - len(by_others) + 1,
                "item_seen": len(by_others),
                "item_events_1h": len(in_hour),
                "item_actors_1h": len({past["user"] for past in in_hour}),
            }
            fact["item_ratio_1h"] = fact["item_events_1h"] / fact["item_actors_1h"]
            prices = [past["price"] for past in by_others if past["price"] is not None]
            stars = [past["stars"] for past in by_others if past["stars"] is not None]
            if prices and event["price"] is not None:
                fact["amount_vs_item"] = event["price"] / np.mean(prices)
            if stars and event["stars"] is not None:
                fact["stars_vs_item"] = event["stars"] - np.mean(stars)
        if (ip := event["ip"]) is not None:
            with_ip = [past for past in before if past["ip"] == ip]
            mine = [past for past in with_ip if past["user"] == event["user"]]
            fact |= {
                "ip_own": len(mine) + 1,
                "ip_1h": len(recent(mine, 3600, now)) + 1,
                "ip_actors": len({past["user"] for past in [*with_ip, event]}),
                "ip_seen": len(with_ip) - len(mine),
            }
        facts[row] = fact
    return facts


TIMED_FACTS = [
    "nth", "gap", "burst_10s", "burst_1m", "actor_1h", "items_1h", "ip_distinct_1h", "ip_ratio_1h",
    "repeat_action", "same_item", "item_own", "item_seen", "item_events_1h", "item_actors_1h",
    "item_ratio_1h", "amount_vs_item", "stars_vs_item", "ip_own", "ip_1h", "ip_actors", "ip_seen",
]  # fmt: skip


@SLOW
@given(log=LOGS)
def test_timed_facts_are_what_an_observer_at_that_moment_would_count(
    log: list[dict[str, Any]],
) -> None:
    events, _ = measure(log, TIMED)
    expected = cells(pd.DataFrame(plain_facts(log), columns=TIMED_FACTS))
    for found, wanted in zip(cells(events[TIMED_FACTS]), expected, strict=True):
        assert found == pytest.approx(wanted, abs=1e-5)


@SLOW
@given(log=LOGS, extra=st.lists(EVENT, max_size=5))
def test_what_comes_later_changes_no_fact(
    log: list[dict[str, Any]], extra: list[dict[str, Any]]
) -> None:
    later = [event | {"at": BASE + 7200} for event in extra]
    before, _ = measure(log, TIMED)
    after, _ = measure(log + later, TIMED)
    assert cells(before) == cells(after.head(len(log)))


@SLOW
@given(log=LOGS, order=st.permutations(["u1", "u2", "u3"]))
def test_without_time_the_order_of_actors_changes_nothing(
    log: list[dict[str, Any]], order: list[str]
) -> None:
    log = sorted([*log, *log], key=lambda event: str(event["user"]))
    moved = [event for user in order for event in log if event["user"] == user]
    one, sequences = measure(log, TIMELESS)
    two, moved_sequences = measure(moved, TIMELESS)
    keys = ["actor_id", "position"]
    assert cells(one.drop(columns="row").sort_values(keys)) == cells(
        two.drop(columns="row").sort_values(keys)
    )
    assert cells(sequences) == cells(moved_sequences)


def test_without_time_facts_about_others_use_the_whole_log_without_the_actor() -> None:
    log = [
        {"user": "u1", "what": "rate", "item": "i1", "ip": "p1", "stars": 5},
        {"user": "u1", "what": "rate", "item": "i1", "ip": "p1", "stars": 4},
        {"user": "u2", "what": "rate", "item": "i1", "ip": "p1", "stars": 1},
        {"user": "u3", "what": "rate", "item": "i1", "ip": None, "stars": 2},
        {"user": "u3", "what": "rate", "item": "i2", "ip": "p2", "stars": None},
    ]
    events, _ = measure(log, TIMELESS)
    columns = ["item_seen", "item_actors", "stars_vs_item", "ip_seen", "ip_actors", "ip_own"]
    assert cells(events[columns]) == [
        [2, 2, 3.5, 1, 1, 1],
        [2, 2, 2.5, 1, 1, 2],
        [3, 2, pytest.approx(1 - 11 / 3, abs=1e-5), 2, 1, 1],
        [3, 2, pytest.approx(2 - 10 / 3, abs=1e-5), None, None, None],
        [0, 0, None, 0, 0, 1],
    ]
    assert not [name for name in events.columns if name.endswith("_1h") or name == "gap"]


def test_the_profile_of_a_sequence(home: Home, write: Any) -> None:
    path = write(
        "user,at,what,item,price,ip,stars\n"
        "u1,2020-01-01 00:00:00,view,i1,10,p1,5\n"
        "u1,2020-01-01 00:00:10,view,i1,10,p1,5\n"
        "u1,2020-01-01 00:00:50,buy,i2,40,p2,1\n"
        "u2,2020-01-01 12:00:00,view,i1,20,p1,5\n"
    )
    dataset = import_log(home, path, mapping=TIMED)
    profile = read_sequences(home, dataset.id).set_index("actor_id")
    expected = {
        "events": 3, "actor_before": 0, "duration": 50, "median_gap": 25, "shortest_gap": 10,
        "gap_spread": 0.6, "longest_burst": 3, "busiest_hour": 3, "night_share": 1, "actions": 2,
        "top_action_share": 2 / 3, "longest_run": 2, "count_view": 2, "count_buy": 1,
        "pattern_count": 0, "items": 2, "items_per_event": 2 / 3, "most_on_item": 2,
        "mean_item_seen": 0, "most_item_seen": 0, "rare_item_share": 1, "amount": 60,
        "amount_mean": 20, "amount_same_share": 2 / 3, "amount_top_share": 1 / 3,
        "amount_bottom_share": 2 / 3, "stars_mean": 11 / 3, "ip_distinct": 2, "ip_most_actors": 1,
        "ip_most_own": 2, "ip_top_hour_ratio": 1.5,
    }  # fmt: skip
    assert profile.loc["u1", list(expected)].to_dict() == pytest.approx(expected)
    assert profile.loc["u2", "amount_vs_item_mean"] == 2
    assert profile.loc["u2", "ip_most_actors"] == 2
    assert profile.loc["u2", "night_share"] == 0


@SLOW
@given(LOGS)
def test_events_per_address_are_counted_in_each_hour_that_begins_with_an_event(
    log: list[dict[str, Any]],
) -> None:
    _, sequences = measure(log, TIMED)
    for actor, found in sequences.set_index("actor_id")["ip_top_hour_ratio"].items():
        own = [event for event in log if event["user"] == actor]
        hours = [
            [event["ip"] for event in own if 0 <= event["at"] - first["at"] <= 3600 and event["ip"]]
            for first in own
        ]
        expected = max((len(hour) / len(set(hour)) for hour in hours if hour), default=np.nan)
        assert found == pytest.approx(expected, nan_ok=True)


def test_equal_patterns_of_actions_are_counted_without_the_sequence_itself(
    home: Home, write: Any
) -> None:
    rows = ["a,view", "a,buy", "b,buy", "b,view", "c,view", "c,view"]
    path = write("user,action\n" + "\n".join(rows) + "\n")
    dataset = import_log(home, path)
    profile = read_sequences(home, dataset.id).set_index("actor_id")
    assert profile["pattern_count"].to_dict() == {"a": 1, "b": 1, "c": 0}


def test_facts_of_an_edited_event_are_measured_anew(home: Home, write: Any) -> None:
    path = write(
        "user,at,what,item,price,ip,stars\n"
        "u1,2020-01-01 00:00:00,view,i1,10,p1,5\n"
        "u1,2020-01-01 00:00:10,view,i1,10,p1,5\n"
        "u2,2020-01-01 00:00:20,view,i1,10,p1,5\n"
        "u1,2020-01-01 00:00:30,view,i1,10,p1,5\n"
    )
    dataset = import_log(home, path, mapping=TIMED)
    events = read_events(home, dataset.id, actors=["u1"])
    pd.testing.assert_frame_equal(measure_actor(events, TIMED), events)

    edited = events.copy()
    edited.loc[2, ["action", "ip"]] = ["buy", "p9"]
    edited.loc[2, "ts"] += pd.Timedelta(hours=2)
    measured = measure_actor(edited, TIMED)
    facts = ["gap", "actor_1h", "repeat_action", "ip_own", "ip_1h", "ip_distinct_1h"]
    assert measured.loc[2, facts].tolist() == [7220, 1, 1, 1, 1, 1]
    assert measured.loc[2, "hour"] == "2"
    assert measured.loc[2, "item_seen"] == events.loc[2, "item_seen"] == 1

    profile = measure_sequences(measured, TIMED, ["view", "buy"])
    assert profile.loc[0, ["events", "count_view", "count_buy", "ip_distinct"]].tolist() == [
        3, 2, 1, 2,
    ]  # fmt: skip


def test_a_wide_table_is_imported(home: Home, tmp_path: Path) -> None:
    numbers = pd.DataFrame(np.arange(6000).reshape(6, 1000) % 7, dtype=float)
    wide = numbers.add_prefix("x").assign(user=["a", "a", "b", "b", "c", "c"])
    wide.to_csv(tmp_path / "wide.csv", index=False)
    dataset = import_log(home, tmp_path / "wide.csv")
    kinds = list(dataset.mapping["columns"].values())
    assert dataset.accepted == 6
    assert kinds.count("numeric") == 40
    assert kinds.count("ignore") == 960


def test_an_import_can_leave_out_facts_about_others(home: Home, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("at,user,item,ip,price\n" + "".join(
        f"{BASE + number},u{number % 3},i{number % 2},p{number % 2},{number}\n"
        for number in range(12)
    ))  # fmt: skip
    given = {"columns": {"ip": "entity", "price": "numeric"}}
    everything = import_log(home, log, mapping=Mapping.model_validate(given), name="all")
    own = import_log(home, log, mapping=Mapping.model_validate({**given, "facts": "actor"}))
    for read in (read_events, read_sequences):
        whole, part = read(home, everything.id), read(home, own.id)
        left_out = set(whole.columns) - set(part.columns)
        assert {"amount_vs_item", "price_vs_item"} & left_out or "mean_item_seen" in left_out
        kept = [name for name in part if name not in ("sequence_id", "partition")]
        pd.testing.assert_frame_equal(part[kept], whole[kept])
    assert not {"item_seen", "item_actors_1h", "ip_actors", "ip_seen"} & set(
        read_events(home, own.id)
    )


def test_facts_meet_their_events_in_a_log_that_several_threads_read(
    home: Home, tmp_path: Path
) -> None:
    """Tables are put side by side row by row, so deleting, filling in, adding keep their order."""
    rng = np.random.default_rng(0)
    size = 220_000  # more than a block of a table is left, which is what a thread takes at a time
    log = pd.DataFrame({
        "id": rng.integers(0, size, size),  # a third of the rows repeat one
        "at": BASE + rng.integers(0, 86_400, size),
        "user": rng.integers(0, 3000, size),
        "item": rng.integers(0, 900, size),
        "price": np.where(rng.random(size) < 0.3, np.nan, rng.random(size).round(3)),
    })  # fmt: skip
    roles = {"event_id": "id", "time": "at", "actor": "user", "item": "item", "amount": "price"}
    given = Mapping.model_validate({"roles": roles, "impute": {"price": "median"}})
    for rows, into in ((log[:10_000], None), (log, "log")):
        rows.to_csv(tmp_path / "log.csv", index=False)
        import_log(home, tmp_path / "log.csv", mapping=None if into else given, into=into)
    with scratch_folder() as scratch, connect(scratch) as con:
        con.register("stored", read_events(home, "log"))
        wrong = con.execute(
            """SELECT count(*), count(*) FILTER (nth != own_events),
                count(*) FILTER (item_seen != item_events - own_on_item),
                count(*) FILTER (amount IS NULL), count(DISTINCT event_id) FROM (
            SELECT *, count(*) OVER (PARTITION BY actor_id ORDER BY ts, "row") AS own_events,
                count(*) OVER (PARTITION BY item ORDER BY ts, "row") AS item_events,
                count(*) OVER (PARTITION BY item, actor_id ORDER BY ts, "row") AS own_on_item
            FROM stored)"""
        ).fetchone()
    kept = log["id"].nunique()
    assert wrong == (kept, 0, 0, 0, kept)
