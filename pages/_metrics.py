"""A model's metrics as the pages show them."""

from typing import Any

NAMES = {
    "gradient_boosting_counts": "boosting on counts",
    "gradient_boosting_profile": "boosting on profiles",
}


FEW = 5  # held-out units of a class; below that a figure says nothing


def too_few(report: dict[str, Any]) -> bool:
    """Say whether a report rests on too few held-out units to judge a model by it."""
    return bool(min(report["positives"], report["negatives"]) < FEW)


def held_out(report: dict[str, Any]) -> str:
    """Say what a report rests on."""
    counts = f"{report['positives']} of abuse and {report['negatives']} legitimate"
    verdict = "too few to judge it by: review more" if too_few(report) else "intervals are 95 %"
    return f"Held out: {counts} ({verdict})."


def reports_of(model_id: str, metrics: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return reports by name: the model, the one active then, and every baseline, same rows."""
    if "test" not in metrics:
        return {}
    reports = {model_id: metrics["test"]}
    before = metrics.get("active")
    if before and "refused" not in before and before["model"] != model_id:
        reports[f"{before['model']} (active)"] = before
    for name, report in metrics.get("baselines", {}).items():
        reports[NAMES.get(name, name)] = report
    return reports
