"""A judgement in plain English, for pages and model cards."""

from collections.abc import Iterator
from typing import Any, Final

from core.model.units import MIN_LABELS
from core.schema import DEFAULT_ACTION, OTHER_SCHEME, scheme_words
from core.wording import percent

METRICS: Final = {
    "average_precision": "Average precision",
    "roc_auc": "ROC-AUC",
    "f1": "F1",
    "precision": "Precision",
    "recall": "Recall",
    "recall_at_capacity": "Recall at the review capacity",
    "brier_score": "Brier score",
}
BASELINES: Final = {
    "single_rule": "best single rule",
    "gradient_boosting_counts": "boosting on counts",
    "logistic_regression": "logistic regression on facts",
    "random_forest": "random forest on facts",
    "gradient_boosting_profile": "boosting on facts",
    "markov_ratio": "Markov chains, abuse against normal",
    "isolation_forest": "isolation forest on facts",
    "markov_surprise": "Markov chain of normal",
    "hidden_markov": "hidden Markov model of normal",
    "count_novelty": "counts never seen in normal",
    "ngram_novelty": "runs of three never seen in normal",
}


def baseline_name(name: str) -> str:
    """Return what a baseline is called."""
    return BASELINES.get(name, name)


def interval(metric: dict[str, float] | None) -> str:
    """Write a metric with its 95 % interval."""
    if metric is None:
        return "-"
    return f"{metric['value']:.3f} ({metric['low']:.3f} to {metric['high']:.3f})"


def against(name: str, difference: dict[str, float]) -> str:
    """Say whether the model is better than a baseline, by average precision."""
    rival, by = baseline_name(name), f"{abs(difference['value']):.3f}"
    low, high = difference["low"], difference["high"]
    if low > 0:
        return f"Beats {rival} by {by} ({low:.3f} to {high:.3f})."
    if high < 0:
        return f"Loses to {rival} by {by} ({-high:.3f} to {-low:.3f})."
    return f"Not told apart from {rival}: {difference['value']:+.3f} ({low:+.3f} to {high:+.3f})."


def early(found: dict[str, Any] | None) -> str | None:
    """Say how early abuse is seen."""
    if found is None:
        return None
    said = f"{found['reached']} of {found['units']} sequences of abuse reach the threshold"
    if not found["reached"]:
        return f"{said}."
    before, seen = found["events_before_end"], found["share_seen"]
    return (
        f"{said}, the median one {before['value']:.0f} events before its end "
        f"({before['low']:.0f} to {before['high']:.0f}), after {percent(seen['value'])} of its "
        "events."
    )


def repeats(found: dict[str, int]) -> Iterator[str]:
    """Say what duplicates and contradictions there are among the labelled units."""
    if found["repeated"]:
        yield (
            f"{found['repeated']} of the units judged do just what a unit of another side of the "
            "split does: on these, remembering is enough."
        )
    if found["set_aside"]:
        yield f"{found['set_aside']} units repeat training units and were set aside."
    if found["contradictory"]:
        yield (
            f"{found['contradictory']} labelled units do just what a unit of the other label "
            "does; they stay, and no model can tell them apart by what was done."
        )
    if found["contradicted"]:
        yield (
            f"{found['contradicted']} labels were left out: one that outweighs them says the "
            "opposite of the same sequences."
        )


def schemes(metrics: dict[str, Any]) -> Iterator[str]:
    """Say which kinds of abuse a model tells apart, and which not and why."""
    if "scheme_labels" not in metrics:
        return
    told, named = metrics["scheme_labels"]["told_apart"], metrics["scheme_labels"]["train"]
    few = ", ".join(f"{scheme_words(name)} ({n})" for name, n in named.items() if name not in told)
    if not told:
        yield (
            f"Kinds of abuse are not told apart: that takes two of them with {MIN_LABELS} training "
            f"labels each. Named so far: {few}."
        )
        return
    yield f"Kinds of abuse told apart: {', '.join(scheme_words(name) for name in told)}."
    if few:
        yield (
            f'"{scheme_words(OTHER_SCHEME)}" is all other abuse, with fewer than '
            f"{MIN_LABELS} training labels of a name: {few}."
        )


def scheme_table(found: dict[str, Any]) -> list[dict[str, str]]:
    """Return what is known of each scheme on the held-out units, one a row."""
    columns = {
        "found": "Share found",
        "recall": "Called by its name (recall)",
        "precision": "Rightly called so (precision)",
    }
    return [
        {
            "Kind of abuse": scheme_words(name),
            "Held out": str(report["positives"]),
            **{said: interval(report[one]) for one, said in columns.items() if one in report},
        }
        for name, report in found.items()
    ]


def robustness(report: dict[str, Any]) -> dict[str, Any]:
    """Return the weakest small perturbation of a report and what to say of it, in plain words."""
    small = report["perturbations"]
    weakest = max(
        small, key=lambda name: (small[name]["flipped"]["value"], small[name]["mean"]), default=None
    )
    said = [] if weakest is None else [_weakest(weakest, small[weakest], report["harmless"])]
    said += _hiding(report)
    said += [
        f"Not tried: {perturbation(name, report['harmless'])} ({why})."
        for name, why in report["missing"].items()
    ]
    return {"weakest": weakest, "summary": said}


def perturbation(name: str, harmless: str) -> str:
    """Say what a perturbation does."""
    kind = "" if harmless == DEFAULT_ACTION else f" ('{harmless}')"
    words = {
        "drop_event": "leaving out one event",
        "jitter_gaps": "changing the times between events by about a tenth",
        "swap_items": "exchanging two items of the same price",
        "pad_views": f"adding a few harmless events{kind}",
        "camouflage": "hiding abuse among normal events",
    }
    return words[name]


def _weakest(name: str, found: dict[str, Any], harmless: str) -> str:
    does, flipped = perturbation(name, harmless), found["flipped"]
    moved = f"{found['mean']:.3f} on average, {found['p95']:.3f} or more for one in twenty"
    if not flipped["value"]:
        return f"No small change flips a decision; {does} moves scores most: by {moved}."
    share, low, high = (percent(flipped[name], 1) for name in ("value", "low", "high"))
    share = f"{share} of decisions ({low} to {high})"
    return f"Weakest against {does}: it flips {share} and moves scores by {moved}."


def _hiding(report: dict[str, Any]) -> Iterator[str]:
    if not report["camouflage"]:
        return
    before = report["recall"]["value"]
    left = [
        f"{percent(one['recall']['value'])} at {percent(one['share'])}"
        for one in report["camouflage"]
    ]
    yield (
        f"Of abuse, {percent(before)} is found. With normal events mixed in, as a share of the "
        f"sequence: {', '.join(left)}."
    )
