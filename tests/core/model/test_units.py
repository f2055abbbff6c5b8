import numpy as np
import pandas as pd
import pytest

from core.errors import BadInput
from core.model.units import bags_of

NO_VERDICTS = pd.DataFrame({"decision": [], "sequences": [], "actor_id": []})
NO_LABELS = pd.DataFrame({"unit": [], "key": [], "label": [], "split": []})


def sequences(actors: int = 40, each: int = 2) -> pd.DataFrame:
    names = [f"u{actor}" for actor in range(actors) for _ in range(each)]
    return pd.DataFrame(
        {
            "sequence_id": [f"s{row}" for row in range(len(names))],
            "actor_id": names,
            "session_id": [f"v{row}" for row in range(len(names))],
        }
    )


def labels(count: int, *, positives: int, split: str | None = None) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "unit": "actor",
            "key": [f"u{actor}" for actor in range(count)],
            "label": [actor < positives for actor in range(count)],
            "split": split,
        }
    )


def verdict(decision: str, actor: str, covered: list[str]) -> dict[str, object]:
    return {"decision": decision, "actor_id": actor, "sequences": covered}


def test_an_actors_label_covers_all_its_sequences() -> None:
    bags = bags_of(sequences(), labels(20, positives=10), NO_VERDICTS)
    assert bags is not None
    assert bags.rows[bags.offsets[3] : bags.offsets[4]].tolist() == [6, 7]
    assert bags.label.sum() == 10
    assert bags.unit == "actor"


def test_a_bag_scores_the_maximum_of_its_sequences() -> None:
    bags = bags_of(sequences(), labels(20, positives=10), NO_VERDICTS)
    assert bags is not None
    score = np.zeros(40, dtype=np.float32)
    score[[6, 7]] = 0.2, 0.9
    assert bags.maximum(score[bags.rows])[3] == np.float32(0.9)


def test_an_abuse_verdict_covers_what_it_names_and_a_legitimate_one_the_whole_actor() -> None:
    decided = [verdict("confirmed", f"u{n}", [f"s{2 * n}"]) for n in range(6)]
    decided += [verdict("legitimate", f"u{n}", [f"s{2 * n}"]) for n in range(6, 12)]
    decided += [verdict("unclear", f"u{n}", [f"s{2 * n}"]) for n in range(12, 20)]
    bags = bags_of(sequences(), NO_LABELS, pd.DataFrame(decided))
    assert bags is not None
    assert len(bags) == 12  # unclear never trains
    assert np.diff(bags.offsets).tolist() == [1] * 6 + [2] * 6


def test_a_verdict_outweighs_an_outside_label() -> None:
    decided = pd.DataFrame([verdict("legitimate", "u0", ["s0"])])
    bags = bags_of(sequences(), labels(20, positives=10), decided)
    assert bags is not None
    assert len(bags) == 20
    assert bags.label.sum() == 9


@pytest.mark.parametrize(("count", "positives", "said"), [(20, 4, "abuse"), (20, 16, "legitimate")])
def test_fewer_than_five_of_a_class_are_refused(count: int, positives: int, said: str) -> None:
    bags = bags_of(sequences(), labels(count, positives=positives), NO_VERDICTS)
    assert bags is not None
    with pytest.raises(BadInput, match=f"4 verdicts or labels say {said}; at least 5"):
        bags.check_trainable()


def test_a_split_without_training_rows_is_refused() -> None:
    bags = bags_of(sequences(), labels(30, positives=15, split="test"), NO_VERDICTS)
    assert bags is not None
    with pytest.raises(BadInput, match="only one class, or nothing, for train"):
        bags.check_trainable()


def test_a_verdict_stands_on_the_side_of_its_actors_label() -> None:
    given = pd.concat(
        [labels(30, positives=15, split="train"), labels(40, positives=15, split="test")[30:]]
    )
    decided = [verdict("legitimate", "u0", ["s0"]), verdict("confirmed", "u35", ["s70"])]
    bags = bags_of(sequences(), given, pd.DataFrame([*decided, verdict("legitimate", "u39", [])]))
    assert bags is not None
    assert bags.split[0] in ("train", "validation")
    assert bags.split[1:3].tolist() == ["test", "test"]
    assert len(bags) == 40


def test_an_actor_never_stands_on_two_sides() -> None:
    frame = sequences(12, each=3)
    keys = frame["session_id"]
    labelled = pd.DataFrame(
        {"unit": "session", "key": keys, "label": [n % 5 == 0 for n in range(36)], "split": None}
    )
    bags = bags_of(frame, labelled, NO_VERDICTS)
    assert bags is not None
    sides = pd.Series(bags.split).groupby(frame["actor_id"].to_numpy()[bags.rows]).nunique()
    assert (sides == 1).all()


def test_without_verdicts_and_labels_there_is_nothing_to_train_on() -> None:
    assert bags_of(sequences(), NO_LABELS, NO_VERDICTS) is None


def test_a_given_split_holds_and_validation_is_a_part_of_train() -> None:
    given = pd.concat(
        [labels(30, positives=15, split="train"), labels(40, positives=15, split="test")[30:]]
    )
    bags = bags_of(sequences(), given, NO_VERDICTS)
    assert bags is not None
    assert (bags.split[30:] == "test").all()
    assert set(bags.split[:30]) == {"train", "validation"}


def test_few_labels_put_both_classes_on_every_side() -> None:
    bags = bags_of(sequences(), labels(10, positives=5), NO_VERDICTS)
    assert bags is not None
    for side in ("train", "validation", "test"):
        assert set(bags.of(side).label) == {0, 1}


def test_an_actor_stands_on_the_same_side_whatever_else_is_labelled() -> None:
    few = bags_of(sequences(400), labels(300, positives=150), NO_VERDICTS)
    more = bags_of(sequences(400), labels(400, positives=150), NO_VERDICTS)
    assert few is not None
    assert more is not None
    assert few.split.tolist() == more.split[:300].tolist()
