import pytest

from core.errors import NotFound
from core.store import cases, verdicts
from core.store.home import Home
from core.store.verdicts import Verdict
from tests.core.store.conftest import add_runs, case_rows


@pytest.fixture
def reviewed(home: Home) -> Home:
    """Of three cases of the first run ann's is decided, bob's and cy's verdicts were undone."""
    with home.engine.begin() as con:
        add_runs(con, "old", "new")
        cases.replace_open(con, "log", case_rows("old", {"ann": 0.7, "bob": 0.8, "cy": 0.9}))
        for actor, case_id in ids(con).items():
            verdicts.add(con, Verdict(case_id, "eva", "confirmed", [], 0.5))
            if actor != "ann":
                verdicts.undo_last(con, "eva")
    return home


def ids(con: object) -> dict[str, int]:
    queue = cases.queue(con, "log")
    return dict(zip(queue["actor_id"], queue["id"], strict=True))


def test_a_case_that_is_open_again_takes_its_new_score(reviewed: Home) -> None:
    with reviewed.engine.begin() as con:
        before = ids(con)
        added = cases.replace_open(
            con, "log", case_rows("new", {"ann": 0.1, "bob": 0.2, "dan": 0.3})
        )
        waiting, decided = cases.queue(con, "log"), cases.queue(con, "log", decided=True)
        after = ids(con)
    shown = ["actor_id", "run_id", "sequence_id", "score"]
    assert added == 1
    assert waiting[shown].to_numpy().tolist() == [
        ["cy", "old", "cy-old", 0.9],  # no longer picked: as it was
        ["dan", "new", "dan-new", 0.3],
        ["bob", "new", "bob-new", 0.2],
    ]
    assert decided[shown].to_numpy().tolist() == [["ann", "old", "ann-old", 0.7]]
    assert after["bob"] == before["bob"]


def test_whoever_looks_at_a_case_finds_it_after_the_queue_was_renewed(home: Home) -> None:
    with home.engine.begin() as con:
        add_runs(con, "old", "new")
        cases.replace_open(con, "log", case_rows("old", {"ann": 0.7, "bob": 0.8}))
        before = ids(con)
        assert cases.replace_open(con, "log", case_rows("new", {"bob": 0.6, "cy": 0.9})) == 1
        after = ids(con)
        assert after["bob"] == before["bob"]
        assert (cases.get(con, after["bob"]).score, cases.get(con, after["bob"]).run_id) == (
            0.6,
            "new",
        )
        assert list(after) == ["cy", "bob"]
        with pytest.raises(NotFound, match=f"no case {before['ann']}: it may have left the queue"):
            verdicts.add(con, Verdict(before["ann"], "eva", "confirmed", [], 0.7))
