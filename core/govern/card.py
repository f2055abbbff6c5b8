"""The model card: what a model is for, what it was made of and how good it is."""

from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

from core.govern.wording import (
    METRICS,
    against,
    baseline_name,
    early,
    interval,
    repeats,
    scheme_table,
    schemes,
)
from core.model.backbone import SIZES
from core.model.counters import FILE as COUNTERS
from core.store.models import Model
from core.wording import percent

_TEMPLATE = Template((Path(__file__).parent / "card.md").read_text())
_SHOWN = ("average_precision", "roc_auc", "f1", "recall_at_capacity", "brier_score")


def write_card(folder: Path, model: Model, training: dict[str, Any]) -> None:
    """Write ``README.md`` into a model directory."""
    text = _TEMPLATE.substitute(
        model=model.id,
        meaning=_meaning(model, (folder / COUNTERS).exists()),
        dataset=training["dataset"],
        sequences=f"{training['sequences']:,}",
        parent=model.parent_id or "none: trained from scratch",
        threshold=f"{model.threshold:.4f}",
        backbone=training["backbone"],
        layout=training["layout"],
        split=training["split_by"],
        learned=_learned(model, training),
        seed=training["seed"],
        created=f"{model.created_at:%Y-%m-%d %H:%M} UTC",
        evaluation=_evaluation(model.metrics),
        note=training.get("note", ""),
    )
    (folder / "README.md").write_text(text)


def _meaning(model: Model, has_counters: bool) -> str:
    if model.kind == "unusualness":
        return (
            "how unusual a sequence is: the percentile, among the training data, of its strangest "
            "event, its strangest fact and the rarity of its actions together. It is not a "
            "probability"
        )
    said = "the estimated probability that a sequence is abuse"
    if not has_counters:
        return said
    return (
        f"{said}, from the log-odds of a transformer, a logistic regression and boosted trees (the "
        f"last two in `{COUNTERS}`): their mean, divided by a temperature. "
        "`AutoModelForSequenceClassification` loads the transformer alone"
    )


def _learned(model: Model, training: dict[str, Any]) -> str:
    if model.parent_id is not None:
        return f"Its tokens are those of `{model.parent_id}`."
    if training["backbone"] not in SIZES:
        return "Its tokens come from all sequences of one log, held-out ones too."
    return (
        "Its tokens, and what pre-training taught it, come from all sequences of one log, held-out "
        "ones too, without their labels."
    )


def _evaluation(metrics: dict[str, Any]) -> str:
    test = metrics.get("test")
    if test is None:
        return "No labels existed, so there is nothing to measure against yet."
    counted = f"{test['positives']} positive and {test['negatives']} negative held-out units"
    capacity = test["capacity"]
    review = f"{percent(capacity)} of the units" if capacity < 1 else f"{capacity:.0f} units"
    return "\n\n".join(
        [
            f"Measured on {counted} ({metrics['unit']}s), with 95 % bootstrap intervals. F1 is at "
            f"each one's own threshold, chosen on validation; review capacity: {review}.",
            "\n".join(_table(test, metrics["baselines"])),
            *_remarks(metrics),
        ]
    )


def _table(test: dict[str, Any], rivals: dict[str, Any]) -> Iterator[str]:
    """Write the model and every baseline, one a row."""
    yield "| | " + " | ".join(METRICS[name] for name in _SHOWN) + " |"
    yield "|---" * (len(_SHOWN) + 1) + "|"
    named = {baseline_name(name): report for name, report in rivals.items()}
    for name, report in {"**this model**": test, **named}.items():
        yield f"| {name} | " + " | ".join(interval(report[one]) for one in _SHOWN) + " |"


def _remarks(metrics: dict[str, Any]) -> Iterator[str]:
    """Say what the table does not: paired comparison, the rule, earliness, duplicates."""
    differences = metrics["differences"]
    told = [
        against(name, found["average_precision"]) for name, found in differences.items() if found
    ]
    if told:
        yield "\n".join(
            ["Average precision against each, on the same resampled units:", ""]
            + [f"- {sentence}" for sentence in told]
        )
    rule = metrics["baselines"].get("single_rule", {}).get("note")
    if rule:
        yield f"The best single rule: {rule}."
    said = early(metrics["early_detection"])
    if said:
        yield said
    yield from repeats(metrics["repeats"])
    yield from schemes(metrics)
    if found := scheme_table(metrics.get("schemes", {})):
        rows = [list(found[0]), ["---"] * len(found[0]), *(list(row.values()) for row in found)]
        yield "\n".join(f"| {' | '.join(row)} |" for row in rows)
    if "robustness" in metrics:
        yield "Robustness:\n\n" + "\n".join(f"- {one}" for one in metrics["robustness"]["summary"])
