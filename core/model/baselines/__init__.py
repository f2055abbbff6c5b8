"""What a user would take instead of a model, on the same units, rows and split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.model.baselines import chains, features, tables
from core.model.baselines.features import Table
from core.model.baselines.symbols import Strings, strings
from core.model.metrics import stable_threshold
from core.model.units import Bags
from core.schema import Column

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

MOST_UNITS = 20_000  # to fit on, so that the time is bounded on any log
MOST_SEQUENCES = 50_000
NORMAL_SHARE = 0.98  # of normal units lie below the threshold where no abuse is known


@dataclass(frozen=True)
class Baseline:
    """Scores of a baseline for some units, with its threshold from validation."""

    score: Floats  # (B,)
    threshold: float
    probability: bool
    supervised: bool
    note: str = ""  # the rule in words, or what it was fitted on


def baselines(
    sequences: pd.DataFrame,
    events: pd.DataFrame,
    bags: Bags,
    *,
    split: str = "test",
    words: Mapping[str, str] | None = None,
    symbols: Sequence[str] = (Column.ACTION,),
) -> dict[str, Baseline]:
    """Fit every baseline on the training bags and score those of `split`, in their order.

    Those that learn from abuse need both classes in training; the others see normal training bags
    only. Empty where there is nothing to fit on.

    Parameters
    ----------
    events
        In the order of `sequences`.
    words
        Name of a fact -> plain English with one ``{value}``, for the rule.
    symbols
        Columns of events that may serve as symbols of chains; the first that varies does.
    """
    train = _fitted(bags)
    if not (bags.label[train] == 0).any() or not len(bags.of(split)):
        return {}
    judged = np.flatnonzero(bags.split == split)
    validation = np.flatnonzero(bags.split == "validation")
    side = _Side(bags, train, np.concatenate([validation, judged]), len(validation))
    table = features.facts(sequences, bags, words or {})
    alphabet = strings(events, sequences[Column.EVENTS].to_numpy(), symbols)
    found = _unsupervised(side, table, alphabet)
    if bags.has_both("train"):
        counted = features.counts(sequences, bags, words or {})
        found = _supervised(side, table, counted, alphabet) | found
    return found


@dataclass(frozen=True)
class _Side:
    """Which bags are fitted on and which are scored: validation first, then those judged."""

    bags: Bags
    train: Rows
    scored: Rows
    validation: int  # how many of `scored` are validation

    def baseline(
        self, score: Floats, *, probability: bool = False, supervised: bool = False, note: str = ""
    ) -> Baseline:
        """Return a baseline from the scores of the bags `scored`."""
        label = self.bags.label[self.scored[: self.validation]]
        known, judged = score[: self.validation], score[self.validation :]
        if label.any():
            threshold = stable_threshold(label, known)
        else:  # nobody of validation is abuse: few of them may be flagged
            highest = np.quantile(known if len(known) else score, NORMAL_SHARE)
            threshold = float(np.nextafter(highest, np.inf))
        return Baseline(judged, threshold, probability, supervised, note)

    @property
    def note(self) -> str:
        everybody = int((self.bags.split == "train").sum())
        if len(self.train) == everybody:
            return ""
        return f"fitted on {len(self.train):,} of {everybody:,} training units"


def _supervised(
    side: _Side, table: Table, counted: Table, alphabet: Strings
) -> dict[str, Baseline]:
    bags, train = side.bags, side.train
    y = bags.label[train]
    weight = _weights(bags, train)
    fits: list[tuple[str, tables.Fit, Table]] = [
        ("gradient_boosting_counts", tables.gradient_boosting, counted),
        ("logistic_regression", tables.logistic_regression, table),
        ("random_forest", tables.random_forest, table),
        ("gradient_boosting_profile", tables.gradient_boosting, table),
    ]
    rule = tables.single_rule(table, train, y)
    ruled = side.baseline(rule.score[side.scored], supervised=True)
    found = {"single_rule": replace(ruled, note=rule.say(ruled.threshold))}
    for name, fit, source in fits:
        X = _usable(source.values, train)
        score = fit(X[train], y, weight, X[side.scored])
        found[name] = side.baseline(score, probability=True, supervised=True, note=side.note)
    scored = bags.take(side.scored)
    ratio = chains.markov_ratio(
        _of_class(alphabet, bags, train, 1),
        _of_class(alphabet, bags, train, 0),
        alphabet.take(scored.rows),
    )
    found["markov_ratio"] = side.baseline(
        _maximum(scored, ratio), supervised=True, note=f"chain of {alphabet.column}"
    )
    return found


def _unsupervised(side: _Side, table: Table, alphabet: Strings) -> dict[str, Baseline]:
    normal_rows = side.train[side.bags.label[side.train] == 0]
    X = _usable(table.values, normal_rows)
    isolated = tables.isolation_forest(X[normal_rows], X[side.scored])
    found = {"isolation_forest": side.baseline(isolated, note=side.note)}
    normal = _of_class(alphabet, side.bags, side.train, 0)
    scored = side.bags.take(side.scored)
    other = alphabet.take(scored.rows)
    for name, method in (
        ("markov_surprise", chains.markov_surprise),
        ("hidden_markov", chains.hidden_markov_surprise),
        ("count_novelty", chains.unseen_counts),
        ("ngram_novelty", chains.unseen_grams),
    ):
        score = _maximum(scored, method(normal, other))
        found[name] = side.baseline(score, note=f"over {alphabet.column}")
    return found


def _fitted(bags: Bags) -> Rows:
    """Return the training bags; of too many all abuse (as far as it fits) and a random rest."""
    train = np.flatnonzero(bags.split == "train")
    if len(train) <= MOST_UNITS:
        return train
    rng = np.random.default_rng(0)
    abuse, normal = (train[bags.label[train] == value] for value in (1, 0))
    abuse = rng.permutation(abuse)[: max(MOST_UNITS // 2, MOST_UNITS - len(normal))]
    return np.sort(np.concatenate([abuse, rng.permutation(normal)[: MOST_UNITS - len(abuse)]]))


def _weights(bags: Bags, train: Rows) -> Floats:
    """Weigh the classes as they stand in all of the training bags, (T,)."""
    y, everybody = bags.label[train], bags.label[bags.split == "train"]
    share = np.bincount(everybody, minlength=2) / np.maximum(np.bincount(y, minlength=2), 1)
    weight: Floats = share[y]
    return weight


def _usable(X: Floats, train: Rows) -> Floats:
    """Leave out columns without a value in training: scikit-learn refuses them."""
    usable: Floats = X[:, np.isfinite(X[train]).any(axis=0)]
    return usable


def _of_class(alphabet: Strings, bags: Bags, train: Rows, label: int) -> Strings:
    """Return the sequences of the training bags of one class, a random part of too many."""
    rows = bags.take(train[bags.label[train] == label]).rows
    if len(rows) > MOST_SEQUENCES:
        rows = np.random.default_rng(0).choice(rows, MOST_SEQUENCES, replace=False)
    return alphabet.take(rows)


def _maximum(bags: Bags, score: Floats) -> Floats:
    highest: Floats = np.maximum.reduceat(score, bags.offsets[:-1])
    return highest
