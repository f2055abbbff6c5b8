"""Baselines that see a unit as one row of facts or counts (scikit-learn), and the single rule."""

from collections.abc import Callable

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
    model = RandomForestClassifier(TREES, class_weight="balanced_subsample", random_state=0)
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
    model = IsolationForest(TREES, random_state=0).fit(prepare.fit_transform(X))
    anomaly: Floats = -model.score_samples(prepare.transform(other))
    return anomaly


def single_rule(table: Table, train: Labels, y: Labels) -> tuple[Floats, str]:
    """Return the score of every unit by one fact, and the rule in words.

    The fact, its direction and its bound have the highest F1 on the rows `train` (1R; Holte,
    Machine Learning 11, 1993). The score is the fact itself: missing is the least suspicious.
    """
    best = (-1.0, table.values[:, 0], "")
    for column, words in zip(table.values.T, table.words, strict=True):
        for sign, side in ((1, "more"), (-1, "less")):
            finite = np.isfinite(column)
            signed = np.where(finite, sign * column, -np.inf)
            ranking = Ranking.of(signed[train])
            hits, units = ranking.cumulate(y, np.ones((len(y), 1)))
            f1 = np.where(np.isfinite(ranking.score), (2 * hits / (units + y.sum()))[:, 0], -1)
            step = int(f1.argmax())
            if f1[step] > best[0]:
                lowest = signed[finite].min() - 1
                bound = f"{sign * ranking.score[step]:.4g} or {side}"
                score = np.where(finite, signed, lowest)
                best = (float(f1[step]), score, words.format(value=bound))
    return best[1], best[2]


def _positive(proba: Floats) -> Floats:
    positive: Floats = proba[:, 1]
    return positive
