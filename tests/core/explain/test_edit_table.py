"""The table an analyst edits says the same as the edits it stands for."""

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from core.explain.edit_table import PLACE, as_table, from_table
from core.explain.edits import ORIGIN, Edits

COLUMNS = ["ts", "action", "item", "amount"]
OWN = pd.DataFrame(
    {
        "ts": pd.to_datetime([f"2026-01-01 10:0{n}:00" for n in range(5)]).tz_localize("UTC"),
        "action": ["view", "cart", "order", "pay", "view"],
        "item": pd.Series(["a", "b", None, "b", "c"], dtype="str"),
        "amount": [1.0, 2.5, float("nan"), 2.5, 0.0],
    }
)
VALUES = {
    "ts": st.sampled_from(["2026-01-02T00:00:00+00:00", "2025-12-31T23:59:59+00:00"]),
    "action": st.sampled_from(["refund", "login"]),
    "item": st.sampled_from(["x", "y"]),
    "amount": st.sampled_from([9.0, -1.5]),
    "position": st.sampled_from([-0.5, 0.5, 3.5]),
}


@st.composite
def some_edits(draw: st.DrawFn) -> Edits:
    delete = sorted(draw(st.sets(st.integers(0, 4), max_size=4)))
    values = st.fixed_dictionaries({}, optional=VALUES).filter(bool)
    kept = [place for place in range(5) if place not in delete]
    change = draw(st.dictionaries(st.sampled_from(kept), values, max_size=3))
    return Edits(delete=delete, change=change, insert=draw(st.lists(values, max_size=2)))


@settings(deadline=None)
@given(edits=some_edits())
def test_a_table_says_what_the_edits_say(edits: Edits) -> None:
    said = from_table(as_table(edits, OWN, COLUMNS), OWN)
    assert (said.delete, said.change) == (edits.delete, edits.change)
    assert sorted(map(repr, map(sorted_items, said.insert))) == sorted(
        map(repr, map(sorted_items, edits.insert))
    )


def sorted_items(values: dict) -> list:
    return sorted(values.items())


def test_a_table_without_edits_is_the_sequence() -> None:
    table = as_table(Edits(), OWN, COLUMNS)
    pd.testing.assert_frame_equal(table[COLUMNS], OWN)
    assert table[ORIGIN].tolist() == [0, 1, 2, 3, 4]
    assert table[PLACE].tolist() == [1, 2, 3, 4, 5]


def test_a_log_may_have_columns_named_origin_and_event() -> None:
    own = OWN.assign(origin=list("abcde"), event=list("vwxyz"))
    columns = [*COLUMNS, "origin", "event"]
    table = as_table(Edits(), own, columns)
    assert table.columns.is_unique
    assert from_table(table, own) == Edits()
    table.loc[1, "origin"], table.loc[2, "event"] = "z", None
    assert from_table(table, own).change == {1: {"origin": "z"}, 2: {"event": None}}


def test_rows_changed_added_and_left_out_by_hand_become_edits() -> None:
    table = as_table(Edits(), OWN, COLUMNS).drop(index=[1, 3])
    table.loc[0, "amount"] = None
    table.loc[4, PLACE] = 1.5
    added = pd.DataFrame({ORIGIN: [None], PLACE: [2.5], "action": ["order"]})
    edited = pd.concat([table, added], ignore_index=True)
    assert from_table(edited, OWN) == Edits(
        delete=[1, 3],
        change={0: {"amount": None}, 4: {"position": 0.5}},
        insert=[{"position": 1.5, "action": "order"}],
    )
