"""Perturbations change what they say, and nothing else."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from core.model.perturb import cut, drop_event, jitter_gaps, pad, swap_items

START = pd.Timestamp("2026-01-01 10:00", tz="UTC")


def events(*lengths: int, timed: bool = True, **columns: object) -> pd.DataFrame:
    """Return sequences of these lengths, each of an actor of its own, an event a minute."""
    rows = [
        (f"s{n}", f"u{n}", START + pd.Timedelta(minutes=k) if timed else pd.NaT, k)
        for n, length in enumerate(lengths)
        for k in range(length)
    ]
    frame = pd.DataFrame(rows, columns=["sequence_id", "actor_id", "ts", "position"])
    frame["ts"] = pd.to_datetime(frame["ts"], utc=True).astype("datetime64[us, UTC]")
    given = {"session_id": None, "action": "order", "item": [f"i{k}" for k in frame["position"]]}
    return frame.assign(row=range(1, len(frame) + 1), **(given | {"amount": 5.0} | columns))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_one_event_of_each_sequence_is_left_out_but_never_the_last_there_is(rng):
    left = drop_event(events(4, 1, 2), rng)
    assert left.groupby("sequence_id").size().to_dict() == {"s0": 3, "s1": 1, "s2": 1}
    assert left["position"].tolist() == [0, 1, 2, 0, 0]


def test_jitter_keeps_order_items_and_whole_seconds(rng):
    before = events(50, 3)
    after = jitter_gaps(before, rng)
    pd.testing.assert_frame_equal(after.drop(columns="ts"), before.drop(columns="ts"))
    assert (after["ts"].dt.microsecond == 0).all()
    assert after.groupby("actor_id")["ts"].is_monotonic_increasing.all()
    gaps = after["ts"].diff().dt.total_seconds()[after["position"] > 0]
    assert 3 < gaps.std() < 10  # of a minute
    assert after["ts"].iloc[[0, 50]].tolist() == [START, START]


def test_jitter_of_one_session_moves_the_next_along(rng):
    before = events(3, 3).assign(actor_id="u0")
    before.loc[3:, "ts"] += pd.Timedelta(hours=1)
    after = jitter_gaps(before, rng)
    assert after["ts"][3] - after["ts"][2] == before["ts"][3] - before["ts"][2]


def test_items_of_the_same_price_change_places_with_what_belongs_to_them(rng):
    before = events(3, 2, amount=[5.0, 5.0, 9.0, 1.0, 2.0], brand=list("abcde"))
    after = swap_items(before, rng, price=["amount"], with_item=["brand"])
    assert after["item"].tolist() == ["i1", "i0", "i2", "i0", "i1"]  # s1 has no such pair
    assert after["brand"].tolist() == list("bacde")
    assert after["amount"].tolist() == before["amount"].tolist()


def test_the_same_item_or_a_missing_price_is_no_pair(rng):
    before = events(3, amount=[5.0, 5.0, np.nan], item=["a", "a", "b"])
    pd.testing.assert_frame_equal(swap_items(before, rng, price=["amount"]), before)


@pytest.mark.parametrize(("share", "added"), [(0.1, [1, 2]), (0.5, [4, 12]), (0.75, [12, 36])])
def test_padding_makes_normal_events_the_share_asked_for(rng, share, added):
    donors = events(5, action="view", item="d")
    after = pad(events(4, 12), rng, donors=donors, share=share)
    views = after[after["action"] == "view"]
    assert views.groupby("sequence_id").size().tolist() == added
    assert (after[after["action"] == "order"]["item"].to_numpy() == events(4, 12)["item"]).all()
    assert after.groupby("actor_id")["ts"].is_monotonic_increasing.all()
    assert (after["position"] == after.groupby("sequence_id").cumcount()).all()
    assert set(views["actor_id"]) == {"u0", "u1"}


def test_padding_keeps_the_order_of_rows_where_there_are_no_times(rng):
    after = pad(events(4, 3, timed=False), rng, donors=events(9, action="view"), share=0.5)
    assert after["ts"].isna().all()
    assert after["row"].is_monotonic_increasing
    assert after["row"].is_unique


def test_donors_stay_in_their_order(rng):
    donors = events(30, action="view", item=[f"d{k:02}" for k in range(30)])
    after = pad(events(10), rng, donors=donors, share=0.5)
    shown = [int(item[1:]) for item in after.loc[after["action"] == "view", "item"]]
    assert [(b - a) % 30 for a, b in pairwise(shown)] == [1] * 9


def test_the_one_device_of_an_actor_stays_the_one(rng):
    before = events(4, 4, device=["x"] * 4 + list("abab"), device_actors=7)
    donors = events(5, action="view", device="z", device_actors=99)
    after = pad(
        before, rng, donors=donors, share=0.5, constant={"device": ["device", "device_actors"]}
    )
    added = after[after["action"] == "view"]
    assert set(added.loc[added["actor_id"] == "u0", "device"]) == {"x"}
    assert set(added.loc[added["actor_id"] == "u0", "device_actors"]) == {7}
    assert set(added.loc[added["actor_id"] == "u1", "device"]) == {"z"}


def test_what_is_too_long_is_cut_and_known_by_where_it_came_from():
    pieces, origin = cut(events(5, 2), 2)
    assert pieces["sequence_id"].tolist() == ["s0", "s0", "s0+1", "s0+1", "s0+2", "s1", "s1"]
    assert pieces["position"].tolist() == [0, 1, 0, 1, 0, 0, 1]
    assert origin.to_dict() == {"s0": "s0", "s0+1": "s0", "s0+2": "s0", "s1": "s1"}


@pytest.mark.parametrize("change", [drop_event, jitter_gaps])
def test_nothing_given_is_changed_in_place(rng, change):
    before = events(4, 2)
    kept = before.copy()
    change(before, rng)
    pd.testing.assert_frame_equal(before, kept)
