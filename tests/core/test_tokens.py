from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.batch import CLS, Batch
from core.errors import BadInput
from core.fields import Field, fit, relative_ids
from core.govern.log import read_log
from core.logs.frames import actions, read_events, read_mapping, read_sequences
from core.logs.importing import import_log
from core.logs.mapping import Mapping, Roles
from core.store.home import Home
from core.tokens import Tokenizer, check_known


def read(home: Home, dataset_id: str = "small") -> tuple[Tokenizer, pd.DataFrame, pd.DataFrame]:
    events, sequences = read_events(home, dataset_id), read_sequences(home, dataset_id)
    mapping, names = read_mapping(home, dataset_id), actions(home, dataset_id)
    return Tokenizer.fit(mapping, names, [events], sequences), events, sequences


def tokens_of(field: Field, values: list[object]) -> list[str]:
    names = field.tokens()
    return [names[number] for number in field.encode(pd.Series(values))]


def test_a_number_becomes_a_readable_range() -> None:
    field = fit(Field("price", "price", "event", "number", "{value}"), pd.Series(range(1, 1001)))
    assert field.edges[:3] == (84, 170, 250)
    assert tokens_of(field, [1.0, 84.0, 200.0, 5000.0, None]) == [
        "price<84",
        "price~84-170",
        "price~170-250",
        "price>=920",
        "price=missing",
    ]


def test_a_number_with_few_values_keeps_each_of_them() -> None:
    field = fit(Field("rating", "rating", "event", "number", "{value}"), pd.Series([1, 3, 5.0]))
    assert tokens_of(field, [5.0, 3.0, 4.0, 0.0]) == [
        "rating=5",
        "rating=3",
        "rating=3",
        "rating<1",
    ]


def test_counts_and_gaps_have_fixed_ranges() -> None:
    count = fit(Field("burst", "burst", "event", "count", "{value}"), pd.Series([1]))
    assert tokens_of(count, [0, 1, 2, 4, 5, 100_000]) == [
        "burst=0", "burst=1", "burst=2", "burst~3-4", "burst~5-8", "burst>=65537",
    ]  # fmt: skip
    gap = fit(Field("gap", "gap", "event", "seconds", "{value}"), pd.Series([1]))
    assert tokens_of(gap, [0.5, 7, 400, None]) == [
        "gap<1s",
        "gap~5s-10s",
        "gap~5m-15m",
        "gap=missing",
    ]


def test_a_rare_value_folds_to_other_and_not_to_missing() -> None:
    field = fit(
        Field("action", "action", "event", "category", "{value}"), pd.Series(["view"] * 9 + ["odd"])
    )
    assert tokens_of(field, ["view", "odd", "new", None]) == [
        "action=view", "action=other", "action=other", "action=missing",
    ]  # fmt: skip


def test_an_entity_is_numbered_by_first_appearance_within_its_sequence() -> None:
    sequence = np.array([0, 0, 0, 0, 1, 1], dtype=np.int32)
    column = pd.Series(["b", "a", "b", None, "a", "a"])
    assert relative_ids(sequence, column).tolist() == [1, 2, 1, 0, 1, 1]


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc")), max_size=30))
def test_relative_numbers_tell_the_same_values_apart(pairs: list[tuple[int, str]]) -> None:
    pairs = sorted(pairs, key=lambda pair: pair[0])
    ids = relative_ids(
        np.array([pair[0] for pair in pairs], dtype=np.int32),
        pd.Series([pair[1] for pair in pairs]),
    )
    for one, first in zip(pairs, ids, strict=True):
        for other, second in zip(pairs, ids, strict=True):
            if one[0] == other[0]:
                assert (one[1] == other[1]) == (first == second)


def test_a_sequence_opens_with_its_profile_and_holds_its_events_in_order(seeded_home: Home) -> None:
    tokenizer, events, sequences = read(seeded_home)
    batch = tokenizer.encode(events, sequences)
    assert len(batch) == len(sequences)
    first = batch.take([0])
    assert first.ids[0] == CLS
    assert (np.diff(first.event) >= 0).all()
    assert first.event.max() == sequences["events"].iloc[0]
    action = [f.name for f in tokenizer.fields].index("action") + 1
    said = [tokenizer.tokens[i] for i in first.ids[first.field == action]]
    expected = events["action"].head(sequences["events"].iloc[0])
    assert said == [f"action={name}" for name in expected]


def test_every_token_lies_in_the_range_of_its_field(seeded_home: Home) -> None:
    tokenizer, events, sequences = read(seeded_home)
    batch = tokenizer.encode(events, sequences)
    inner = batch.field > 0
    starts, ends = np.array(tokenizer.starts), np.array(tokenizer.ends)
    assert (batch.ids[inner] >= starts[batch.field[inner] - 1]).all()
    assert (batch.ids[inner] < ends[batch.field[inner] - 1]).all()


def test_tokens_do_not_depend_on_the_other_sequences_of_the_batch(seeded_home: Home) -> None:
    tokenizer, events, sequences = read(seeded_home)
    whole = tokenizer.encode(events, sequences).take([7, 3])
    for place, row in enumerate([7, 3]):
        alone = sequences.iloc[[row]]
        mine = events[events["sequence_id"] == alone["sequence_id"].iloc[0]]
        assert tokenizer.encode(mine, alone).ids.tolist() == whole.take([place]).ids.tolist()


def test_a_fact_that_only_the_model_or_only_the_log_knows_changes_no_other_token(
    seeded_home: Home,
) -> None:
    tokenizer, events, sequences = read(seeded_home)
    known = tokenizer.encode(events, sequences)
    added = tokenizer.encode(events, sequences.assign(a_fact_of_later=1.0))
    assert added.ids.tolist() == known.ids.tolist()
    lacking = tokenizer.encode(events, sequences.drop(columns="companions"))
    place = [field.column for field in tokenizer.fields].index("companions") + 1
    said = {tokenizer.tokens[i] for i in lacking.ids[lacking.field == place]}
    assert said == {"companions=missing"}
    others = known.field != place
    assert lacking.ids[others].tolist() == known.ids[others].tolist()


def test_padding_holds_every_token_and_nothing_else(seeded_home: Home) -> None:
    tokenizer, events, sequences = read(seeded_home)
    batch = tokenizer.encode(events, sequences)
    padded = batch.padded()
    kept = padded["attention_mask"].bool()
    assert padded["input_ids"][kept].numpy().tolist() == batch.ids.tolist()
    assert padded["position_ids"][kept].numpy().tolist() == batch.event.tolist()
    assert not padded["input_ids"][~kept].any()


def test_a_saved_tokenizer_reads_back_the_same(seeded_home: Home, tmp_path: object) -> None:
    tokenizer, events, sequences = read(seeded_home)
    folder = seeded_home.path / "tokenizer"
    folder.mkdir()
    tokenizer.save(folder)
    again = Tokenizer.load(folder)
    assert again.digest == tokenizer.digest
    first, second = (one.encode(events, sequences) for one in (tokenizer, again))
    assert first.ids.tolist() == second.ids.tolist()


def test_vocabulary_and_fields_of_different_models_are_refused(seeded_home: Home) -> None:
    tokenizer, *_ = read(seeded_home)
    folder = seeded_home.path / "tokenizer"
    folder.mkdir()
    tokenizer.save(folder)
    (folder / "vocab.json").write_text('{"[PAD]": 0}')
    with pytest.raises(BadInput, match="do not belong together"):
        Tokenizer.load(folder)


def test_the_same_texts_give_the_same_sub_words(home: Home, tmp_path: Path) -> None:
    letters = np.random.default_rng(0).choice(list("abcdefghij"), (300, 6))
    rows = [f"u{row % 9},{''.join(word)}" for row, word in enumerate(letters)]
    mapping = Mapping.model_validate({"roles": {"actor": "user"}, "columns": {"query": "text"}})
    (tmp_path / "log.csv").write_text("user,query\n" + "\n".join(rows))
    import_log(home, tmp_path / "log.csv", mapping=mapping, name="texts")
    log = read_log(home, "texts")
    assert len({log.fit_tokenizer().digest for _ in range(5)}) == 1  # a checkpoint is found by it


def test_free_text_becomes_subwords_and_reads_back(home: Home, tmp_path: object) -> None:
    from core.logs.importing import import_log

    rows = [f"u{n % 5},2026-01-0{n % 5 + 1},search,cheap red shoes size {n % 7}" for n in range(60)]
    file = home.path / "log.csv"
    file.write_text("\n".join(["user_id,time,action,query", *rows]))

    roles = Roles(actor="user_id", time="time", action="action")
    import_log(home, file, mapping=Mapping(roles=roles, columns={"query": "text"}), name="texts")
    tokenizer, events, sequences = read(home, "texts")
    batch = tokenizer.encode(events, sequences)
    said = {tokenizer.tokens[number] for number in batch.ids}
    assert {"query:cheap", "query:red", "query:shoes"} <= said


def test_a_strange_log_is_refused_with_the_share_it_knows(seeded_home: Home) -> None:
    tokenizer, events, _ = read(seeded_home)
    mapping, names = read_mapping(seeded_home, "small"), actions(seeded_home, "small")
    check_known(tokenizer, mapping, names, events, "m")
    strange = events.assign(action="install")
    other = mapping.model_copy(update={"roles": mapping.roles.model_copy(update={"item": None})})
    with pytest.raises(BadInput, match=r"knows only \d+ % of this log's tokens"):
        check_known(tokenizer, other, names, strange, "m")


def test_taking_rows_keeps_each_sequence_whole() -> None:
    batch = Batch(
        np.arange(6, dtype=np.int32),
        np.zeros(6, dtype=np.int16),
        np.array([0, 1, 0, 0, 1, 2], dtype=np.int16),
        np.array([0, 2, 3, 6]),
    )
    taken = batch.take([2, 0])
    assert taken.ids.tolist() == [3, 4, 5, 0, 1]
    assert taken.offsets.tolist() == [0, 3, 5]
    assert taken.positions.tolist() == [3, 2]


def test_a_log_with_one_price_gives_a_tokenizer_that_can_be_loaded(
    home: Home, tmp_path: Path
) -> None:
    rows = [f"u{user},{event},9.99" for user in range(40) for event in range(1 + user)]
    (tmp_path / "log.csv").write_text("\n".join(["user,item,price", *rows]))
    dataset = import_log(home, tmp_path / "log.csv")
    tokenizer, _, sequences = read(home, dataset.id)
    assert sequences["amount_mean"].nunique() > 1  # in their last bits
    tokenizer.save(tmp_path)
    assert Tokenizer.load(tmp_path).tokens == tokenizer.tokens
    assert "amount_mean=9.99" in tokenizer.tokens


def test_two_tokens_of_one_name_are_refused_when_they_are_made() -> None:
    price = Field("price", "price", "event", "number", "{value}", edges=(5.0,), discrete=True)
    with pytest.raises(BadInput, match="both called 'price=missing'"):
        Tokenizer([price, price])
