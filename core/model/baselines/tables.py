"""Baselines that see a unit as one row of facts or counts (scikit-learn), and the single rule."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

from core.model.baselines.features import Floats, Table
from core.model.bootstrap import Ranking

Labels = npt.NDArray[np.int64]
Fit = Callable[[Floats, Labels, Floats, Floats], Floats]  # X, y, weights, X to score -> scores

TREES = 200


def gradient_boosting(X: Floats, y: Labels, weight: Floats, other: Floats) -> Floats:
    """Histogram gradient boosting with the defaults of scikit-learn but for the number of trees."""
    model = HistGradientBoostingClassifier(random_state=0, early_stopping=False, max_iter=150)
    return _positive(model.fit(X, y, weight).predict_proba(other))


def random_forest(X: Floats, y: Labels, weight: Floats, other: Floats) -> Floats:
    """Random forest; of an unbalanced log it would else see hardly any abuse."""
    model = RandomForestClassifier(
        n_estimators=TREES, class_weight="balanced_subsample", random_state=0
    )
    return _positive(model.fit(X, y, weight).predict_proba(other))


def logistic_regression(X: Floats, y: Labels, weight: Floats, other: Floats) -> Floats:
    """Logistic regression on ranks: counts have long tails, on which plain scaling would fail."""
    prepare = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True),
        QuantileTransformer(n_quantiles=min(200, len(X)), random_state=0),
    )
    model = LogisticRegression(max_iter=1000)
    model.fit(prepare.fit_transform(X), y, weight)
    return _positive(model.predict_proba(prepare.transform(other)))


def isolation_forest(X: Floats, other: Floats) -> Floats:
    """Return how easily a row is told apart from those of `X` (Liu, Ting & Zhou, ICDM 2008)."""
    prepare = SimpleImputer(strategy="median")
    model = IsolationForest(n_estimators=TREES, random_state=0).fit(prepare.fit_transform(X))
    anomaly: Floats = -model.score_samples(prepare.transform(other))
    return anomaly


@dataclass(frozen=True)
class Rule:
    """One fact that tells abuse: `score` is the fact, turned so that more is more suspicious."""

    score: Floats  # (B,); missing is the least suspicious
    words: str  # plain English with one ``{value}``
    sign: int  # -1 where little of the fact is suspicious

    def say(self, threshold: float) -> str:
        """Return the rule in words."""
        side = "more" if self.sign > 0 else "less"
        return self.words.format(value=f"{self.sign * threshold:.3g} or {side}")


def single_rule(table: Table, train: Labels, y: Labels) -> Rule:
    """Return the rule of the highest F1 on the rows `train` (Holte, Machine Learning 11, 1993)."""
    best: tuple[float, Rule] | None = None
    for column, words in zip(table.values.T, table.words, strict=True):
        finite = np.isfinite(column)
        for sign in (1, -1):
            lowest = (sign * column[finite]).min(initial=0.0) - 1
            score = np.where(finite, sign * column, lowest)
            ranking = Ranking.of(score[train])
            hits, units = ranking.cumulate(y, np.ones((len(y), 1)))
            f1 = float((2 * hits / (units + y.sum())).max())
            if best is None or f1 > best[0]:
                best = (f1, Rule(score, words, sign))
    assert best is not None  # a sequence has a number of events at least
    return best[1]


def _positive(proba: Floats) -> Floats:
    positive: Floats = proba[:, 1]
    return positive
