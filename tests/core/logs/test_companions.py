"""Facts of an actor's company against a plain pandas reading of what they mean."""

from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.logs import companions
from core.logs.companions import companion_facts, company_sql, find_companions
from core.logs.engine import connect, scratch_folder
from core.logs.frames import read_sequences
from core.logs.importing import import_log
from core.logs.mapping import Mapping
from core.logs.profiles import profile_facts
from core.store.home import Home

MAPPING = Mapping.model_validate({"roles": {"actor": "user", "item": "item"}})
NAMES = [fact.name for fact in companion_facts(MAPPING)]
VISITS = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from(["1", "2", "3", "4", "5", None])),
    min_size=1,
    max_size=40,
)


def plain(log: pd.DataFrame, most: int) -> pd.DataFrame:
    """Compute the facts pair by pair; only items with 2 to `most` actors count."""
    visits = log.dropna().drop_duplicates()
    size = visits.groupby("item")["user"].transform("size")
    owned = visits[size.between(2, most)].groupby("user")["item"].agg(set)
    shared = {pair: len(owned[pair[0]] & owned[pair[1]]) for pair in permutations(owned.index, 2)}
    own = {
        one: {two: n for (first, two), n in shared.items() if first == one and n > 1}
        for one in owned.index
    }

    def of_others(user: str) -> float:
        on_item = [[u for u in owned.index if item in owned[u]] for item in owned[user]]
        return float(np.mean([np.mean([len(own[u]) for u in us if u != user]) for us in on_item]))

    rows = {}
    for user in log["user"].unique():
        mine = own.get(user, {})
        overlap = [n / len(owned[user] | owned[other]) for other, n in mine.items()]
        rows[user] = {
            "companions": len(mine),
            "close_companions": sum(n > 2 for n in mine.values()),
            "most_shared_items": max(mine.values(), default=0),
            "companion_overlap_share": max(overlap, default=0),
            "companions_of_companions": np.mean([len(own[u]) for u in mine]) if mine else np.nan,
            "companions_of_others": of_others(user) if user in owned else np.nan,
        }
    return pd.DataFrame.from_dict(rows, orient="index").astype(float)


def measure(log: pd.DataFrame) -> pd.DataFrame:
    """Return the facts of every actor of a log, without files."""
    accepted = log.rename(columns={"user": "actor_id"}).astype(object)
    accepted = accepted.where(accepted.notna(), None).assign(**{"@bucket": 0})
    facts = ", ".join(company_sql(fact.name) for fact in companion_facts(MAPPING))
    with scratch_folder() as scratch, connect(scratch) as con:
        con.register("given", accepted)
        con.execute("CREATE TABLE accepted AS FROM given")
        find_companions(con, MAPPING)
        found = con.execute(
            f"""SELECT actor_id, {facts} FROM (SELECT DISTINCT actor_id FROM accepted)
            LEFT JOIN companions ON actor = hash(actor_id)"""
        ).df()
    return found.set_index("actor_id").astype(float)


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(
        found.sort_index(), expected.sort_index(), check_names=False, rtol=0, atol=1e-6
    )


@settings(max_examples=40, deadline=None)
@given(visits=VISITS)
def test_facts_of_company_mean_what_they_say(visits: list[tuple[str, str | None]]) -> None:
    log = pd.DataFrame(visits, columns=["user", "item"])
    assert_same(measure(log), plain(log, most=len(log)))


def test_the_rarest_items_count_as_far_as_pairs_may_be_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # 3 items of 2 actors, 2 of 3 and 2 of 8: 3 + 6 + 56 pairs, of 28 events.
    log = pd.DataFrame(
        [("ab"[n], item) for item in "123" for n in range(2)]
        + [("acd"[n], item) for item in "45" for n in range(3)]
        + [("abcdefgh"[n], item) for item in "67" for n in range(8)],
        columns=["user", "item"],
    )
    assert_same(measure(log), plain(log, most=8))
    monkeypatch.setattr(companions, "_PAIRS", 0)  # then as many pairs as events
    assert_same(measure(log), plain(log, most=3))
    assert measure(log).loc["e", "companions"] == 0


def test_facts_of_company_are_the_same_for_all_sequences_of_an_actor(
    home: Home, write: Any
) -> None:
    rows = ["a,s1,1", "a,s1,2", "a,s2,3", "b,s3,1", "b,s3,3", "b,s3,3", "c,s4,9", "d,s5,"]
    path = write("user,session,item\n" + "\n".join(rows) + "\n")
    roles = {"actor": "user", "session": "session", "item": "item"}
    mapping = Mapping.model_validate({"roles": roles, "sequence": {"by": "session"}})
    dataset = import_log(home, path, mapping=mapping)
    found = read_sequences(home, dataset.id).set_index("session_id")[NAMES]
    together = [1, 0, 2, 1.0, 1, 1]
    alone = [0, 0, 0, 0, np.nan, np.nan]
    expected = {"s1": together, "s2": together, "s3": together, "s4": alone, "s5": alone}
    assert_same(found, pd.DataFrame.from_dict(expected, "index", columns=NAMES).astype(float))


def test_company_is_only_told_where_there_are_items_and_others_are_looked_at() -> None:
    itemless = Mapping.model_validate({"roles": {"actor": "user", "action": "what"}})
    alone = MAPPING.model_copy(update={"facts": "actor"})
    for mapping in (itemless, alone):
        assert not set(NAMES) & {fact.name for fact in profile_facts(mapping, [])}
