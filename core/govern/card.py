"""The model card: what a model is for, what it was made of and how good it is."""

from pathlib import Path
from string import Template
from typing import Any

from core.store.models import Model

_TEMPLATE = Template((Path(__file__).parent / "card.md").read_text())
_SHOWN = {
    "roc_auc": "ROC-AUC",
    "average_precision": "Average precision",
    "f1": "F1",
    "precision": "Precision",
    "recall": "Recall",
}


def write_card(folder: Path, model: Model, training: dict[str, Any]) -> None:
    """Write ``README.md`` into a model directory."""
    text = _TEMPLATE.substitute(
        model=model.id,
        meaning=_meaning(model),
        dataset=training["dataset"],
        sequences=f"{training['sequences']:,}",
        parent=model.parent_id or "none: trained from scratch",
        threshold=f"{model.threshold:.4f}",
        layout=training["layout"],
        seed=training["seed"],
        created=f"{model.created_at:%Y-%m-%d %H:%M} UTC",
        evaluation=_evaluation(model.metrics),
        note=training.get("note", ""),
    )
    (folder / "README.md").write_text(text)


def _meaning(model: Model) -> str:
    if model.kind == "unusualness":
        return (
            "how unusual a sequence is: the percentile, among the training data, of its strangest "
            "event, its strangest fact and the rarity of its actions together. It is not a "
            "probability"
        )
    return "the estimated probability that a sequence is abuse"


def _evaluation(metrics: dict[str, Any]) -> str:
    test = metrics.get("test")
    if test is None:
        return "No labels existed, so there is nothing to measure against yet."
    columns = {"this model": test, **metrics.get("baselines", {})}
    header = "| metric (95 % interval) | " + " | ".join(columns) + " |"
    lines = [header, "|---" * (len(columns) + 1) + "|"]
    for name, shown in _SHOWN.items():
        cells = [_cell(column.get(name)) for column in columns.values()]
        lines.append(f"| {shown} | " + " | ".join(cells) + " |")
    counted = f"{test['positives']} positive and {test['negatives']} negative held-out units"
    return "\n".join([f"Measured on {counted} ({metrics['unit']}s).", "", *lines])


def _cell(metric: dict[str, float] | None) -> str:
    if metric is None:
        return "-"
    return f"{metric['value']:.3f} ({metric['low']:.3f}-{metric['high']:.3f})"
