"""How well a model says which kind of abuse it is, per scheme."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from core.govern.log import Log
from core.model.bootstrap import Floats, resamples
from core.model.metrics import interval
from core.model.schemes import kind_of
from core.model.units import Bags
from core.schema import Column
from core.scoring.engine import Scorer


def judge_schemes(
    log: Log, scorer: Scorer, threshold: float, *, split: str = "test"
) -> dict[str, dict[str, Any]]:
    """Judge a model on the units of `split` of which somebody said what kind of abuse they are.

    A unit is called by its likeliest scheme if it reaches the threshold, else normal. Abuse of
    which nobody said what it is takes no part.

    Returns
    -------
    By scheme: ``positives``, the units of it; ``found``, the share of them that reaches the
    threshold; and if the model tells schemes apart, ``recall``, the share called by its name, and
    ``precision``, of those called so. Each with its bootstrap interval; None where there is nothing
    to take a share of.
    """
    assert log.bags is not None
    bags = log.bags.of(split)
    bags = bags.take(np.flatnonzero((bags.label == 0) | (bags.scheme != None)))  # noqa: E711
    if not (bags.label == 1).any():
        return {}
    score, probable = scorer.predict_kinds(log.encode(scorer.encoder.tokenizer, bags.rows))
    highest = bags.highest(score)
    flagged = score[highest] >= threshold
    called = [
        flagged & (probable[highest].argmax(axis=1) == place) for place in range(len(scorer.kinds))
    ]
    weights = list(resamples(log.sequences[Column.ACTOR].to_numpy()[bags.first]))
    return {
        name: _report(truly, flagged, called[place] if called else None, weights)
        for place, name, truly in _by_scheme(bags, scorer.kinds)
    }


def _by_scheme(bags: Bags, kinds: list[str]) -> Iterator[tuple[int, str, npt.NDArray[np.bool_]]]:
    """Give the place and the name of each scheme of which there are bags, and which these are.

    A model that tells schemes apart counts those it has no class for as one, the others do not.
    """
    names = kinds or sorted({str(name) for name in bags.scheme[bags.label == 1]})
    kind = kind_of(bags, names[1:])
    for place, name in enumerate(names):
        if (kind == place).any():
            yield place, name, kind == place


def _report(
    truly: npt.NDArray[np.bool_],
    flagged: npt.NDArray[np.bool_],
    called: npt.NDArray[np.bool_] | None,
    weights: list[Floats],
) -> dict[str, Any]:
    report = {"positives": int(truly.sum()), "found": _share(flagged, truly, weights)}
    if called is not None:
        report["recall"] = _share(called, truly, weights)
        report["precision"] = _share(truly, called, weights)
    return report


def _share(
    part: npt.NDArray[np.bool_], whole: npt.NDArray[np.bool_], weights: list[Floats]
) -> dict[str, float] | None:
    """Return which share of `whole` is `part`, with its interval."""
    if not whole.any():
        return None
    both, all_of = (part & whole).astype(float), whole.astype(float)
    with np.errstate(invalid="ignore"):
        drawn = np.concatenate([(both @ w) / (all_of @ w) for w in weights])
    return interval(np.array([both.sum() / all_of.sum()]), drawn)
