import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput
from core.logs.facts import event_facts, profile_facts
from core.logs.mapping import (
    Format,
    Mapping,
    Roles,
    SequenceRule,
    canonical_names,
    extra_columns,
    parse_mapping,
)
from core.schema import Column

KINDS = ["categorical", "numeric", "text", "entity", "personal", "ignore"]


def test_a_mapping_survives_json() -> None:
    mapping = Mapping(
        roles=Roles(actor="user", time="at"),
        columns={"price": "numeric", "ip": "entity"},
        format=Format(kind="csv", header=False, delimiter=";", encoding="latin-1"),
        sequence=SequenceRule(by="gap", gap_minutes=5, max_events=99),
        duplicates="drop",
    )
    assert Mapping.model_validate_json(mapping.model_dump_json()) == mapping


def test_sequences_are_sessions_where_one_is_mapped_and_else_the_whole_actor() -> None:
    assert Mapping(roles=Roles(actor="u", session="s")).sequence == SequenceRule(by="session")
    assert Mapping(roles=Roles(actor="u")).sequence == SequenceRule(by="actor", max_events=256)


def test_windows_are_shorter_unless_said_otherwise() -> None:
    assert SequenceRule(by="window").max_events == 64
    assert SequenceRule(by="window", max_events=10).max_events == 10


def test_names_are_matched_as_the_reader_tidies_them() -> None:
    mapping = Mapping.model_validate({"roles": {"actor": "..ip"}, "columns": {" os ": "entity"}})
    assert mapping.roles.actor == "ip"
    assert mapping.columns == {"os": "entity"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"roles": {"who": "user"}}', "roles.who: Extra inputs"),
        ('{"columns": {"a": "colour"}}', "columns.a: Input should be"),
        ('{"roles": {"actor": "a", "item": "a"}}', "'a' has more than one role"),
        ('{"roles": {"actor": "a"}, "columns": {"a": "text"}}', "has the role actor and is also"),
        ('{"sequence": {"by": "gap", "gap_minutes": 0}}', "greater than 0"),
        ('{"sequence": {"max_events": 4097}}', "max_events: .* less than or equal to 4096"),
        ("no json", "Invalid JSON"),
    ],
)
def test_a_wrong_mapping_says_where_it_is_wrong(text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        parse_mapping(text)


def test_extra_columns_keep_their_name_in_snake_case() -> None:
    mapping = Mapping(
        roles=Roles(actor="user"),
        columns={
            "Brand Name": "categorical",
            "brandName": "entity",
            "secret": "ignore",
            "item": "text",
            "gap": "numeric",
            "ip": "entity",
            "ip_1h": "numeric",
            "größe": "numeric",
            "省份 (收貨)": "categorical",
        },
    )
    assert extra_columns(mapping) == {
        "brand_name": "categorical",
        "brand_name_": "entity",
        "item_": "text",
        "gap_": "numeric",
        "ip": "entity",
        "ip_1h_": "numeric",
        "gr_e": "numeric",
        "省份_收貨": "categorical",
    }
    assert canonical_names(mapping)["brandName"] == "brand_name_"


NAMES = st.sampled_from(
    ["a", "a_1h", "a_own", "a_vs_item", "row", "ts", "nth", "hour", "item", "items", "item_own",
     "amount", "amount_vs_item", "actor_1h", "items_1h", "item_seen", "position", "burst_1m", "A"]
)  # fmt: skip


@given(columns=st.dictionaries(NAMES, st.sampled_from(KINDS), max_size=12), timed=st.booleans())
def test_no_two_columns_of_the_events_share_a_name(columns: dict[str, str], timed: bool) -> None:
    roles = {"actor": "x1", "action": "x2", "item": "x3", "amount": "x4"}
    roles |= {"time": "x5"} if timed else {}
    mapping = Mapping.model_validate({"roles": roles, "columns": columns})
    canonical = [value for name, value in vars(Column).items() if name.isupper()]
    names = [*canonical, *extra_columns(mapping), *(fact.name for fact in event_facts(mapping))]
    assert len(set(names)) == len(names)
    profile = [fact.name for fact in profile_facts(mapping, ["a b", "a_b", "buy"])]
    assert len(set(profile)) == len(profile)


def test_words_of_facts_are_short_and_hold_one_value() -> None:
    mapping = Mapping.model_validate(
        {
            "roles": {"actor": "u", "time": "t", "item": "i", "action": "a", "amount": "m"},
            "columns": {"ip": "entity", "stars": "numeric"},
        }
    )
    for given_mapping in (
        mapping,
        mapping.model_copy(update={"roles": Roles(actor="u", item="i")}),
    ):
        for fact in event_facts(given_mapping) + profile_facts(given_mapping, ["buy now"]):
            assert fact.words.count("{value}") == 1, fact
            assert len(fact.words.split()) <= 15, fact
