import pytest

from core.errors import BadInput, Conflict, NotFound
from core.store import audit, datasets, scenarios
from core.store.home import Home

EDITS = {"delete": [1], "change": {"0": {"amount": 2.5}}, "insert": []}


def add(home: Home, name: str = "slower", sequence: str = "s1") -> int:
    with home.engine.begin() as con:
        return scenarios.add(con, "small", sequence, name=name, analyst="eva", edits=EDITS)


def test_a_scenario_is_found_by_its_number_and_with_its_sequence(seeded_home: Home) -> None:
    first, other = add(seeded_home, " slower "), add(seeded_home, sequence="s2")
    second = add(seeded_home, "fewer")
    with seeded_home.engine.connect() as con:
        one = scenarios.get(con, first)
        assert (one.name, one.analyst, one.edits) == ("slower", "eva", EDITS)
        assert [s.id for s in scenarios.of_sequence(con, "small", "s1")] == [first, second]
        assert [s.id for s in scenarios.of_sequence(con, "small", "s2")] == [other]
        assert audit.newest(con, 1)["action"].tolist() == ["scenario"]


def test_a_name_is_given_once_for_a_sequence(seeded_home: Home) -> None:
    add(seeded_home)
    with pytest.raises(Conflict, match="'slower' already"):
        add(seeded_home)


@pytest.mark.parametrize("name", ["", "   ", "x" * 101])
def test_a_scenario_without_a_usable_name_is_refused(seeded_home: Home, name: str) -> None:
    with pytest.raises(BadInput, match="1 to 100"):
        add(seeded_home, name)


def test_a_deleted_scenario_is_gone_and_its_number_is_not_given_again(seeded_home: Home) -> None:
    number = add(seeded_home)
    with seeded_home.engine.begin() as con:
        scenarios.remove(con, number, "eva")
    with seeded_home.engine.connect() as con, pytest.raises(NotFound, match="no scenario"):
        scenarios.get(con, number)
    assert add(seeded_home) > number


def test_scenarios_go_with_their_data_set(seeded_home: Home) -> None:
    add(seeded_home)
    datasets.delete_dataset(seeded_home, "small")
    with seeded_home.engine.connect() as con:
        assert scenarios.of_sequence(con, "small", "s1") == []
