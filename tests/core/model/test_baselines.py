from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from core.govern.evaluation import baselines_of
from core.govern.log import read_log
from core.logs.importing import import_log
from core.logs.labels import attach_labels
from core.model import baselines as package
from core.model.baselines import baselines, chains, tables
from core.model.baselines.features import Table
from core.model.baselines.symbols import Strings, strings
from core.model.metrics import judge
from core.model.units import Bags
from core.store.home import Home
from tests.conftest import SHARED

WITHOUT_ABUSE = {
    "isolation_forest",
    "markov_surprise",
    "hidden_markov",
    "count_novelty",
    "ngram_novelty",
}
FROM_ABUSE = {
    "single_rule",
    "gradient_boosting_counts",
    "logistic_regression",
    "random_forest",
    "gradient_boosting_profile",
    "markov_ratio",
}


def words(*sequences: str) -> Strings:
    """Return sequences of the letters a to d."""
    codes = np.array([ord(letter) - ord("a") for letter in "".join(sequences)], dtype=np.int64)
    offsets = np.cumsum([0, *(len(one) for one in sequences)])
    return Strings(codes, offsets, 4, "letter")


def units(label: list[int], split: list[str]) -> Bags:
    rows = np.arange(len(label))
    nobody_said = np.full(len(label), None, dtype=object)
    return Bags(
        rows, np.arange(len(label) + 1), np.array(label), np.array(split, object), nobody_said,
        "actor",
    )  # fmt: skip


def visits(
    number: int, *, abuse_in_training: bool = True
) -> tuple[pd.DataFrame, pd.DataFrame, Bags]:
    """Make visits in which every fourth orders at once and again, at odds with the rest."""
    rng = np.random.default_rng(0)
    label = [int(n % 4 == 0) for n in range(number)]
    split = [("train", "train", "validation", "test")[(n // 4) % 4] for n in range(number)]
    if not abuse_in_training:
        label = [0 if side != "test" else bad for bad, side in zip(label, split, strict=True)]
    lengths = rng.integers(3, 7, number)
    actions = [
        action
        for bad, length in zip(label, lengths, strict=True)
        for action in (
            ["order"] * length if bad else ["view", *rng.choice(["view", "cart"], length - 1)]
        )
    ]
    sequences = pd.DataFrame(
        {
            "events": lengths,
            "count_order": lengths * np.array(label) * 3 + rng.geometric(0.5, number),
            "noise": rng.random(number),
        }
    )
    return sequences, pd.DataFrame({"action": actions}), units(label, split)


def test_every_baseline_finds_abuse_that_is_plain_to_see() -> None:
    sequences, events, bags = visits(160)
    found = baselines(sequences, events, bags)
    assert set(found) == FROM_ABUSE | WITHOUT_ABUSE
    y = bags.of("test").label
    for name, baseline in found.items():
        measured = judge(y, baseline.score, baseline.threshold).report
        assert measured["roc_auc"]["value"] > 0.9, name
        assert measured["f1"]["value"] > 0.75, name


def test_without_abuse_to_learn_from_only_what_needs_none_is_left() -> None:
    sequences, events, bags = visits(160, abuse_in_training=False)
    found = baselines(sequences, events, bags)
    assert set(found) == WITHOUT_ABUSE
    novelty = found["count_novelty"]
    flagged = novelty.score >= novelty.threshold
    assert flagged[bags.of("test").label == 1].all()


def test_baselines_score_the_units_of_the_split_asked_for_in_their_order() -> None:
    sequences, events, bags = visits(80)
    for split in ("train", "validation", "test"):
        found = baselines(sequences, events, bags, split=split)
        assert all(len(one.score) == len(bags.of(split)) for one in found.values())


def test_the_test_units_do_not_change_what_is_fitted() -> None:
    sequences, events, bags = visits(80)
    other = replace(bags, label=np.where(bags.split == "test", 1 - bags.label, bags.label))
    first, second = baselines(sequences, events, bags), baselines(sequences, events, other)
    for name in first:
        assert first[name].threshold == second[name].threshold
        np.testing.assert_array_equal(first[name].score, second[name].score)


def test_a_large_log_is_fitted_on_a_part_that_keeps_the_abuse_and_says_so(monkeypatch) -> None:
    monkeypatch.setattr(package, "MOST_UNITS", 40)
    sequences, events, bags = visits(400)
    found = baselines(sequences, events, bags)
    assert found["random_forest"].note == "fitted on 40 of 200 training units"
    rows = package._fitted(bags)
    assert (len(rows), bags.label[rows].sum()) == (40, 20)
    assert package._weights(bags, rows).sum() == pytest.approx(200)


def test_the_single_rule_is_said_in_plain_words() -> None:
    values = np.array([[1.0, 9], [2, 8], [3, np.nan], [4, 7], [5, 1], [6, 2]])
    table = Table(values, ["{value} events", "pace of {value}"])
    rule = tables.single_rule(table, np.arange(6), np.array([0, 0, 0, 0, 1, 1]))
    assert rule.say(4.5) == "4.5 or more events"
    slow = Table(values[:, 1:], ["pace of {value}"])
    rule = tables.single_rule(slow, np.arange(6), np.array([0, 0, 0, 0, 1, 1]))
    assert rule.say(-2) == "pace of 2 or less"
    assert rule.score.argmin() == 2  # missing is the least suspicious


def test_novelty_is_what_no_normal_sequence_has() -> None:
    normal, other = words("abc", "aab"), words("cba", "aabb", "abc")
    assert chains.unseen_counts(normal, other).tolist() == [0, 1, 0]  # cba has the counts of abc
    # runs of aabb with start and end: .aa aab abb bb.; of normal: .ab abc bc. .aa aab ab.
    assert chains.unseen_grams(normal, other).tolist() == [1, 0.5, 0]


def test_the_ratio_of_two_chains_is_the_sum_of_their_steps() -> None:
    abuse, normal, other = words("ab", "ab"), words("ba"), words("ab")

    def step(count: int, of: int) -> float:
        return float(np.log((count + 0.5) / (of + 4 * 0.5)))

    expected = step(2, 2) + step(2, 2) - step(0, 1) - step(0, 0)
    assert chains.markov_ratio(abuse, normal, other)[0] == pytest.approx(expected)


def test_chains_are_surprised_by_what_normal_sequences_do_not_do() -> None:
    normal = words(*["abababab"] * 20)
    other = words("abab", "aabb", "dddd")
    for surprise in (chains.markov_surprise, chains.hidden_markov_surprise):
        usual, turned, strange = surprise(normal, other)
        assert usual < min(turned, strange)


def test_symbols_are_the_first_column_that_varies_and_numbers_are_cut() -> None:
    events = pd.DataFrame({"action": "event", "gap": [np.nan, *np.arange(99.0)]})
    found = strings(events, np.array([40, 60]), ["action", "gap"])
    assert (found.column, found.size, len(found)) == ("gap", 9, 2)
    assert np.bincount(found.codes).max() <= 13
    assert found.codes[0] == 8  # missing is a symbol of its own


def test_a_sequence_taken_from_strings_stays_whole() -> None:
    found = words("abc", "d", "ba")
    assert [part.tolist() for part in found.take(np.array([2, 0])).split()] == [[1, 0], [0, 1, 2]]
    assert all(a < b for a, b in pairwise(found.offsets))


@pytest.mark.realdata
@pytest.mark.slow
def test_counts_never_seen_in_normal_reach_the_published_figure_of_hdfs(home: Home) -> None:
    folder = SHARED / "hdfs_sessions"
    dataset = import_log(home, folder / "events.parquet", name="hdfs")
    attach_labels(
        home, dataset.id, folder / "labels.csv.gz", key="seq_id", label="anomaly", split="split",
        on="actor",
    )  # fmt: skip
    log = read_log(home, dataset.id)
    assert log.bags is not None
    novelty = baselines_of(log)["count_novelty"]
    measured = judge(log.bags.of("test").label, novelty.score, novelty.threshold).report
    assert round(measured["f1"]["value"], 3) == 0.971
    assert round(measured["average_precision"]["value"], 3) == 0.944
