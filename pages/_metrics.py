"""A model's metrics as the pages show them."""

from typing import Any

NAMES = {
    "gradient_boosting_counts": "boosting on counts",
    "gradient_boosting_profile": "boosting on profiles",
}


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
