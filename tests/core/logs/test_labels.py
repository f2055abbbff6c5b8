from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import BadInput, NotFound
from core.logs.frames import read_sequences
from core.logs.importing import import_log
from core.logs.labels import Attached, attach_labels
from core.store import labels
from core.store.home import Home

Write = Callable[..., Path]


@pytest.fixture
def dataset(home: Home, write: Write) -> str:
    return import_log(
        home, write("user,session\nu1,s1\nu1,s1\nu1,s2\nu2,s3\nu3,same\nsame,s5\n")
    ).id


def stored(home: Home, dataset: str) -> list[list[object]]:
    with home.engine.connect() as con:
        frame = labels.of_dataset(con, dataset).sort_values("key").astype(object)
        frame = frame.drop(columns="scheme")
    return frame.where(frame.notna(), None).to_numpy().tolist()


def test_labels_attach_to_the_unit_that_matches_best(
    home: Home, dataset: str, write: Write
) -> None:
    path = write("who,bad,part\nu1,1,train\nu2,0,test\nnobody,1,train\n", "labels.csv")
    found = attach_labels(home, dataset, path, key="who", label="bad", split="part")
    assert found == Attached(attached=2, unmatched=1, on="actor")
    assert stored(home, dataset) == [["actor", "u1", True, "train"], ["actor", "u2", False, "test"]]


def test_labels_may_be_on_sessions_or_sequences(home: Home, dataset: str, write: Write) -> None:
    path = write("session;bad\ns1;yes\ns2;no\n", "labels.csv")
    assert attach_labels(home, dataset, path, key="session", label="bad").on == "session"
    sequence = read_sequences(home, dataset)["sequence_id"][0]
    path = write(f"sequence,bad\n{sequence},true\n", "labels.csv")
    assert attach_labels(home, dataset, path, key="sequence", label="bad").on == "sequence"
    assert [row[0] for row in stored(home, dataset)].count("session") == 2


def test_a_tie_between_units_is_refused_and_can_be_decided(
    home: Home, dataset: str, write: Write
) -> None:
    path = write("id,bad\nsame,1\n", "labels.csv")
    with pytest.raises(BadInput, match="actor and session equally well"):
        attach_labels(home, dataset, path, key="id", label="bad")
    assert attach_labels(home, dataset, path, key="id", label="bad", on="session").attached == 1


def test_new_labels_replace_those_of_the_same_unit(home: Home, dataset: str, write: Write) -> None:
    for value in "10":
        path = write(f"who,bad\nu1,{value}\n", "labels.csv")
        attach_labels(home, dataset, path, key="who", label="bad")
    assert stored(home, dataset) == [["actor", "u1", False, None]]


def test_the_positive_value_can_be_named(home: Home, dataset: str, write: Write) -> None:
    path = write("who,kind\nu1,spam\nu2,ham\nu3,\n", "labels.csv")
    found = attach_labels(home, dataset, path, key="who", label="kind", positive="spam")
    assert found.attached == 2
    assert [row[1:3] for row in stored(home, dataset)] == [["u1", True], ["u2", False]]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("who,bad\nu1,1\n", {"key": "user"}, "no column 'user' to be the key.*who, bad"),
        ("who,bad\nu1,1\n", {"label": "worse"}, "no column 'worse' to be the label"),
        ("who,bad\nu1,maybe\n", {}, "'maybe'.*Accepted: 1 and 0"),
        ("who,bad\nu1,a\n", {"positive": "b"}, "'b' is not among the values"),
        ("who,bad\nu1,1\nu1,0\n", {}, "'u1' has more than one label"),
        ("who,bad\nx,1\n", {}, r"No key of the label file \('x'"),
        ("who,bad\nu1,1\n", {"on": "shop"}, "Accepted: actor, session, sequence"),
        ("who,bad,part\nu1,1,later\n", {"split": "part"}, "'later'.*train, validation, test"),
        ("who,bad\nu1,\n", {}, "no row with both"),
    ],
)
def test_labels_that_are_not_understood_are_refused(
    home: Home, dataset: str, write: Write, text: str, options: dict[str, str], message: str
) -> None:
    path = write(text, "labels.csv")
    with pytest.raises(BadInput, match=message):
        attach_labels(home, dataset, path, **{"key": "who", "label": "bad", **options})
    assert stored(home, dataset) == []


def test_labels_of_an_unknown_data_set_are_refused(home: Home, write: Write) -> None:
    with pytest.raises(NotFound):
        attach_labels(home, "nothing", write("who,bad\nu1,1\n"), key="who", label="bad")


@pytest.mark.realdata
def test_real_labels_attach_whole(home: Home, real: Callable[[str], Path]) -> None:
    dataset = import_log(home, real("amazon_reviewers/ratings.txt"))
    path = real("amazon_reviewers/labels.csv")
    found = attach_labels(home, dataset.id, path, key="user", label="spammer", split="split")
    assert found == Attached(attached=4902, unmatched=0, on="actor")
    with home.engine.connect() as con:
        assert labels.counts(con, dataset.id) == {True: 1907, False: 2995}
