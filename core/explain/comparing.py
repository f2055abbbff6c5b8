"""Methods of explaining compared over cases: how good their orders are, how far they agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
from scipy.stats import spearmanr

from core.explain.coalitions import Floats
from core.explain.naming import METHOD_WORDS
from core.model.bootstrap import resamples
from core.model.metrics import INTERVAL

STAGES: Final = 20  # of a curve at most; longer cases hide several parts at a time
SHARES: Final = np.linspace(0, 1, STAGES + 1)  # of the parts, at which curves are averaged
TOP: Final = 3  # parts that two methods may share
ENOUGH: Final = 5  # cases: an interval over fewer says little
ALIKE: Final = 0.02  # of the score: methods that differ by less are about as good

Interval = dict[str, float]  # value, low, high


@dataclass(frozen=True)
class Measured:
    """What the methods say about one case, and how well the score follows each."""

    values: dict[str, Floats]  # by method: of each part, (parts,)
    seconds: dict[str, float]
    curves: dict[str, Floats]  # by method and for `random`: (2, STAGES + 1)
    areas: dict[str, tuple[float, float]]  # deletion, insertion


def compare(found: Sequence[Measured]) -> dict[str, Any]:
    """Return the means over cases, the best method first, and which of them to trust."""
    names = list(found[0].values)
    areas = {name: np.array([one.areas[name] for one in found]) for name in (*names, "random")}
    gains = {name: (areas[name] - areas["random"]) @ [-1, 1] for name in names}  # (cases,) each
    agreement = _agreement(found)
    ranked = sorted(names, key=lambda name: -gains[name].mean())
    methods = [
        {
            "method": name,
            "gain": _interval(gains[name]),
            **_summed(found, name, areas[name]),
            "agreement": agreement["shap"][name],
            "seconds": float(np.mean([one.seconds[name] for one in found])),
        }
        for name in ranked
    ]
    trust = [
        name
        for name in ranked
        if len(found) >= ENOUGH
        and _interval(gains[name])["low"] > 0
        and (name == ranked[0] or _interval(gains[ranked[0]] - gains[name])["low"] <= ALIKE)
    ]
    return {
        "shares": SHARES.tolist(),
        "methods": methods,
        "random": {"method": "random", **_summed(found, "random", areas["random"])},
        "agreement": agreement,
        "trust": trust,
        "summary": _summary(trust, len(found)),
    }


def _summed(found: Sequence[Measured], name: str, areas: Floats) -> dict[str, Any]:
    deletion, insertion = np.mean([one.curves[name] for one in found], axis=0).tolist()
    return {
        "deletion": float(areas[:, 0].mean()),
        "insertion": float(areas[:, 1].mean()),
        "curves": {"deletion": deletion, "insertion": insertion},
    }


def _agreement(found: Sequence[Measured]) -> dict[str, dict[str, dict[str, float]]]:
    """Return the mean rank correlation of every two methods, and how many top parts they share."""
    names = list(found[0].values)
    agreement: dict[str, dict[str, dict[str, float]]] = {
        name: {name: {"rank": 1.0, "top": 1.0}} for name in names
    }
    for one, other in combinations(names, 2):
        pairs = [(case.values[one], case.values[other]) for case in found]
        both = {
            "rank": float(np.mean([rank_correlation(*pair) for pair in pairs])),
            "top": float(np.mean([shared_top(*pair) for pair in pairs])),
        }
        agreement[one][other] = agreement[other][one] = both
    return agreement


def rank_correlation(one: Floats, other: Floats) -> float:
    """Return Spearman's rank correlation; 0 where one of them does not tell the parts apart."""
    if np.ptp(one) < 1e-9 or np.ptp(other) < 1e-9:
        return 0.0
    return float(spearmanr(one, other).statistic)


def shared_top(one: Floats, other: Floats) -> float:
    """Return the share of the `TOP` highest parts that two methods have in common."""
    size = min(TOP, len(one))
    top = (set(np.argsort(-values, kind="stable")[:size].tolist()) for values in (one, other))
    return len(set.intersection(*top)) / size


def _interval(values: Floats) -> Interval:
    """Return the mean over cases with its bootstrap interval."""
    weights = np.concatenate(list(resamples(np.arange(len(values)))), axis=1)
    low, high = np.percentile(values @ weights / len(values), INTERVAL)
    return {"value": float(values.mean()), "low": float(low), "high": float(high)}


def _summary(trust: Sequence[str], cases: int) -> str:
    """Say in one sentence which method to trust."""
    if cases < ENOUGH:
        return f"Too few cases to say which to trust: {cases} of at least {ENOUGH}."
    on = f"on these {cases} cases"
    if not trust:
        return (
            f"Trust none of the explanations yet: {on} no method finds what the score rests on "
            "better than chance."
        )
    first, *others = (_inside(METHOD_WORDS[name]) for name in trust)
    if not others:
        return f"Trust {first}: {on} no other method surely finds what the score rests on as well."
    *before, last = others
    alike = f"{', '.join(before)} and {last}" if before else last
    return (
        f"Trust {first}: {on} no other method finds what the score rests on better; {alike} "
        f"{'are' if before else 'is'} not clearly worse."
    )


def _inside(words: str) -> str:
    """Return a name as it stands inside a sentence: abbreviations stay."""
    return words if words[1].isupper() else words[0].lower() + words[1:]
