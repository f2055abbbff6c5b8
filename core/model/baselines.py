"""What a user would take instead: gradient boosting on the same units, rows and split."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

from core.model.metrics import report, stable_threshold
from core.model.units import Bags
from core.schema import Column, Trust

Features = npt.NDArray[np.float64]


def baselines(sequences: pd.DataFrame, bags: Bags, split: str = "test") -> dict[str, Any]:
    """Fit every baseline on the training bags and report it on those of `split`.

    ``gradient_boosting_counts`` sees how often each action occurs, ``gradient_boosting_profile``
    everything in the profile of the sequences (mean and maximum over a unit's sequences). Empty
    where there is nothing to fit on.
    """
    if not (bags.has_both("train") and bags.has_both("validation")):
        return {}
    features = {
        "gradient_boosting_counts": _counts(sequences, bags),
        "gradient_boosting_profile": _profile(sequences, bags),
    }
    return {name: _judge(matrix, bags, split) for name, matrix in features.items()}


def _judge(X: Features, bags: Bags, split: str) -> dict[str, Any]:
    train, validation, test = (
        np.flatnonzero(bags.split == side) for side in ("train", "validation", split)
    )
    X = X[:, np.isfinite(X[train]).any(axis=0)]  # scikit-learn refuses columns without a value
    model = HistGradientBoostingClassifier(random_state=0, early_stopping=False, max_iter=150)
    model.fit(X[train], bags.label[train])
    score = model.predict_proba(X)[:, 1]
    threshold = stable_threshold(bags.label[validation], score[validation])
    return report(bags.label[test], score[test], threshold)


def _counts(sequences: pd.DataFrame, bags: Bags) -> Features:
    columns = [Column.EVENTS, *(c for c in sequences if str(c).startswith("count_"))]
    values = sequences[columns].to_numpy(dtype=np.float64, na_value=np.nan)[bags.rows]
    sums = np.add.reduceat(values, bags.offsets[:-1])
    return np.column_stack([sums, np.diff(bags.offsets)])


def _profile(sequences: pd.DataFrame, bags: Bags) -> Features:
    """Return mean and maximum of every numeric profile fact over a unit's sequences."""
    facts = sequences.drop(columns=[Column.PARTITION, *Trust.COLUMNS], errors="ignore")
    numeric = facts.select_dtypes("number")
    values = numeric.to_numpy(dtype=np.float64, na_value=np.nan)[bags.rows]
    present = np.isfinite(values)
    starts = bags.offsets[:-1]
    total = np.add.reduceat(np.where(present, values, 0.0), starts)
    number = np.add.reduceat(present.astype(float), starts)
    highest = np.maximum.reduceat(np.where(present, values, -np.inf), starts)
    mean = np.divide(total, number, out=np.full_like(total, np.nan), where=number > 0)
    highest[number == 0] = np.nan
    return np.column_stack([mean, highest, np.diff(bags.offsets)])
