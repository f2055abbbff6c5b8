from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from core.batch import Batch
from core.errors import BadInput
from core.model.units import bags_of, check_distinct, repeats

NO_VERDICTS = pd.DataFrame({"decision": [], "sequences": [], "actor_id": [], "scheme": []})
NO_LABELS = pd.DataFrame({"unit": [], "key": [], "label": [], "split": [], "scheme": []})


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
            "scheme": None,
        }
    )


def verdict(
    decision: str, actor: str, covered: list[str], scheme: str | None = None
) -> dict[str, object]:
    return {"decision": decision, "actor_id": actor, "sequences": covered, "scheme": scheme}


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
        {
            "unit": "session",
            "key": keys,
            "label": [n % 5 == 0 for n in range(36)],
            "split": None,
            "scheme": None,
        }
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


def hashes(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint64)


def test_actors_who_did_just_the_same_stand_on_one_side() -> None:
    frame = sequences(400, each=1)
    content = hashes(*(n // 2 for n in range(400)))  # pairs
    bags = bags_of(frame, labels(400, positives=200), NO_VERDICTS, content=content)
    assert bags is not None
    assert (bags.split[::2] == bags.split[1::2]).all()
    assert len(bags.of("test")) > 30


def test_nobody_is_moved_by_content_that_is_all_different() -> None:
    frame = sequences(400, each=1)
    alone = bags_of(frame, labels(400, positives=200), NO_VERDICTS)
    with_content = bags_of(
        frame, labels(400, positives=200), NO_VERDICTS, content=hashes(*range(400))
    )
    assert alone is not None
    assert with_content is not None
    assert alone.split.tolist() == with_content.split.tolist()


def test_a_held_out_session_that_repeats_a_training_one_judges_nothing() -> None:
    frame = sequences(200, each=2)
    content = hashes(*(n if n % 2 else 1000 for n in range(400)))  # everybody's first is the same
    labelled = pd.DataFrame(
        {"unit": "session", "key": frame["session_id"], "label": [n % 3 == 0 for n in range(400)],
         "split": None, "scheme": None}
    )  # fmt: skip
    bags = bags_of(frame, labelled, NO_VERDICTS, content=content)
    assert bags is not None
    seen = bags.content(content)
    for side, earlier in (("validation", ["train"]), ("test", ["train", "validation"])):
        assert not np.isin(seen[bags.split == side], seen[np.isin(bags.split, earlier)]).any()
    counted = repeats(bags, content, "test")
    assert counted["repeated"] == 0
    assert counted["set_aside"] == int((bags.split == "repeat").sum()) > 40


def test_a_given_split_stays_and_its_duplicates_are_counted() -> None:
    given = pd.concat(
        [labels(30, positives=15, split="train"), labels(40, positives=15, split="test")[30:]]
    )
    content = hashes(*range(30), *range(5), *range(50, 55))
    bags = bags_of(sequences(40, each=1), given, NO_VERDICTS, content=content)
    assert bags is not None
    assert (bags.split[30:] == "test").all()
    assert repeats(bags, content, "test")["repeated"] == 5


def test_labels_that_contradict_each_other_on_the_same_content_are_counted() -> None:
    content = hashes(*([7] * 12), *range(100, 108))  # 10 of abuse and 2 legitimate do the same
    bags = bags_of(sequences(20, each=1), labels(20, positives=10), NO_VERDICTS, content=content)
    assert bags is not None
    assert repeats(bags, content, "test")["contradictory"] == 12


def test_all_the_same_still_leaves_both_classes_on_every_side() -> None:
    content = np.zeros(40, dtype=np.uint64)
    bags = bags_of(sequences(40, each=1), labels(40, positives=20), NO_VERDICTS, content=content)
    assert bags is not None
    for side in ("train", "validation", "test"):
        assert bags.has_both(side)
    assert repeats(bags, content, "test")["repeated"] == len(bags.of("test"))


def test_split_by_time_the_actors_seen_last_test() -> None:
    frame = sequences(100, each=2)
    frame["last_ts"] = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(
        np.tile([0, 1], 100) * 1000 + np.repeat(np.arange(100), 2), unit="h"
    )
    alternate = labels(100, positives=50).assign(label=[n % 2 == 0 for n in range(100)])
    bags = bags_of(frame, alternate, NO_VERDICTS, by_time=True)
    assert bags is not None
    assert bags.split.tolist() == ["train"] * 70 + ["validation"] * 15 + ["test"] * 15


def test_a_log_without_times_is_not_split_by_time() -> None:
    frame = sequences().assign(
        last_ts=pd.Series(pd.NaT, index=range(80), dtype="datetime64[us, UTC]")
    )
    with pytest.raises(BadInput, match="no times"):
        bags_of(frame, labels(20, positives=10), NO_VERDICTS, by_time=True)


def test_the_newest_verdict_outweighs_an_older_one_on_the_same_sequence() -> None:
    decided = [verdict("legitimate", "u0", ["s0"]), verdict("confirmed", "u0", ["s0"])]
    decided += [verdict("confirmed", "u1", ["s2"]), verdict("legitimate", "u1", ["s2"])]
    bags = bags_of(sequences(), NO_LABELS, pd.DataFrame(decided))
    assert bags is not None
    assert bags.label.tolist() == [0, 1]
    assert bags.contradicted == 2


def test_a_label_on_a_session_outweighs_one_on_its_actor() -> None:
    both = pd.DataFrame(
        {"unit": ["actor", "session"] * 2, "key": ["u0", "v0", "u1", "v2"],
         "label": [False, True, True, False], "split": None, "scheme": None}
    )  # fmt: skip
    bags = bags_of(sequences(), both, NO_VERDICTS)
    assert bags is not None
    # u0 is not legitimate beside its abusive session; u1 may be abusive in its other one
    assert [part.tolist() for part in np.split(bags.rows, bags.offsets[1:-1])] == [[0], [2], [3]]
    assert bags.label.tolist() == [1, 0, 1]
    assert bags.contradicted == 1


def test_labelled_sequences_that_all_look_the_same_are_refused() -> None:
    bags = bags_of(sequences(10, each=1), labels(10, positives=5), NO_VERDICTS)
    assert bags is not None
    same = Batch(
        np.tile([2, 5, 6], 10).astype(np.int32), np.tile([0, 1, 2], 10).astype(np.int16),
        np.tile([0, 1, 1], 10).astype(np.int16), np.arange(0, 31, 3),
    )  # fmt: skip
    with pytest.raises(BadInput, match="All 10 labelled sequences look the same"):
        check_distinct(same, bags)
    ids = same.ids.copy()
    ids[-1] = 7
    check_distinct(replace(same, ids=ids), bags)
