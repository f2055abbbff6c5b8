import pytest

from core.explain.cohort import importance
from core.explain.naming import fact_of, in_words


def _token(token: str, value: float) -> dict:
    return {"token": token, "value": value, "words": f"says {token}"}


def _explained(profile: list[dict], *events: list[dict]) -> dict:
    return {"profile": {"tokens": profile}, "events": [{"tokens": part} for part in events]}


def test_values_are_averaged_over_all_explanations_whatever_their_sign():
    found = importance(
        [
            _explained([_token("events=3", 0.1)], [_token("gap<2s", 0.3)], [_token("gap<2s", 0.2)]),
            _explained([_token("events=3", -0.1)], [_token("gap~2s-5s", -0.3)]),
        ],
        {"gap": "… since the previous event"},
    )
    gap, events = found["facts"]
    assert (gap["name"], gap["words"]) == ("gap", "… since the previous event")
    assert gap["moved"] == pytest.approx(0.4)
    assert gap["direction"] == pytest.approx(0.1)
    assert (gap["share"], events["share"]) == (pytest.approx(0.8), pytest.approx(0.2))
    assert (events["moved"], events["direction"]) == (pytest.approx(0.1), pytest.approx(0.0))
    assert events["seen_in"] == 2
    first = found["tokens"][0]
    assert (first["name"], first["words"], first["seen_in"]) == ("gap<2s", "says gap<2s", 1)
    assert first["moved"] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("token", "fact"),
    [
        ("gap<2s", "gap"),
        ("gap~2s-5s", "gap"),
        ("amount>=9", "amount"),
        ("item.id=a=b<c", "item.id"),
        ("query:##x", "query"),
        ("event.count_view=missing", "event.count_view"),
    ],
)
def test_the_fact_of_a_token_is_read_from_it(token, fact):
    assert fact_of(token) == fact


def test_a_fact_the_mapping_no_longer_has_is_called_by_its_name():
    assert in_words("old_fact=3", {}) == "old fact"
