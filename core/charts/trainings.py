"""Pictures of several trainings over each other."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import plotly.graph_objects as go

from core.charts import look

Curve = Sequence[Mapping[str, Any]]

MEASURES: Final = {  # name on the page -> phase and name of what was measured in it
    "Validation average precision": ("fine-tuning", "validation_ap"),
    "Fine-tuning loss": ("fine-tuning", "loss"),
    "Validation loss": ("fine-tuning", "validation_loss"),
    "Pre-training loss": ("pre-training", "loss"),
}


def measured(curves: Sequence[Curve]) -> list[str]:
    """Return the measures of which at least one curve has a point."""
    return [name for name in MEASURES if any(_points(curve, name) for curve in curves)]


def overlay(curves: Mapping[str, Curve], measure: str) -> go.Figure:
    """Draw one measure of several trainings by round.

    Parameters
    ----------
    curves
        Name of a training -> its points. One that never got as far as `measure` is left out.
    measure
        One of `MEASURES`.
    """
    figure = look.blank(height=300)
    longest = 1
    for number, (name, curve) in enumerate(curves.items()):
        points = _points(curve, measure)
        if not points:
            continue
        longest = max(longest, points[-1][0])
        colour = look.SERIES[number % len(look.SERIES)]  # the same for every measure
        figure.add_scatter(
            x=[epoch for epoch, _ in points],
            y=[value for _, value in points],
            mode="lines+markers",
            marker={"size": 5, "color": colour},
            line={"color": colour},
            name=look.plain(name),
            showlegend=True,
            hovertemplate="round %{x}: %{y:.4f}<extra>" + look.plain(name) + "</extra>",
        )
    figure.update_xaxes(
        title="round through the data",
        range=[0.7, longest + 0.3],
        tick0=1,
        dtick=max(1, longest // 12),
    )
    better = "higher" if measure == "Validation average precision" else "lower"
    figure.update_yaxes(title=f"{measure[0].lower()}{measure[1:]} ({better} is better)")
    return figure


def _points(curve: Curve, measure: str) -> list[tuple[int, float]]:
    phase, name = MEASURES[measure]
    return [
        (int(point["epoch"]), float(point[name]))
        for point in curve
        if point["phase"] == phase and name in point
    ]
