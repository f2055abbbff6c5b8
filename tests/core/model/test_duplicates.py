import numpy as np
import pandas as pd

from core.logs.mapping import Mapping, Roles
from core.model.duplicates import content, of_owners

MAPPING = Mapping(
    roles=Roles(actor="who", time="when", action="what", item="which"),
    columns={"ip": "entity", "kind": "categorical"},
)


def hashes(*sequences: list[tuple[str, str, str]]) -> np.ndarray:
    """Return hashes of sequences of (action, item, ip)."""
    rows = [row for sequence in sequences for row in sequence]
    events = pd.DataFrame(rows, columns=["action", "item", "ip"]).assign(amount=np.nan, kind="x")
    return content(events, np.array([len(one) for one in sequences]), MAPPING)


def test_the_same_events_in_the_same_order_have_the_same_hash() -> None:
    visit = [("view", "i1", "a"), ("order", "i1", "a")]
    first, again, turned, longer, other = hashes(
        visit, visit, visit[::-1], [*visit, visit[1]], [visit[0], ("order", "i2", "a")]
    )
    assert first == again
    assert len({first, turned, longer, other}) == 4


def test_a_script_run_from_another_address_is_the_same_script() -> None:
    steady = [("view", "i1", "a"), ("order", "i1", "a")]
    moved = [("view", "i1", "b"), ("order", "i1", "b")]
    hopping = [("view", "i1", "a"), ("order", "i1", "b")]
    first, second, third = hashes(steady, moved, hopping)
    assert first == second != third


def test_an_actors_sequences_count_in_any_order_and_as_often_as_they_occur() -> None:
    one, other = np.uint64(5), np.uint64(9)
    found = of_owners(
        np.array([one, other, other, one, one, one, other]), np.array([0, 0, 1, 1, 2, 2, 2]), 3
    )
    assert found[0] == found[1] != found[2]
