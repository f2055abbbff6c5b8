"""Pictures of how good scores are: beside baselines, as curves, and against what came true."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from core.charts import look

Report = Mapping[str, Any]


def beside_baselines(reports: Mapping[str, Report], metric: str, title: str) -> go.Figure:
    """Draw one metric of the model (the first of `reports`) and its baselines, the best on top.

    Parameters
    ----------
    reports
        Plain name -> report, see `core.model.metrics.judge`.
    """
    ours = next(iter(reports))
    found = {name: report[metric] for name, report in reports.items() if report.get(metric)}
    rising = metric == "brier_score"  # there, less is better
    names = sorted(found, key=lambda name: found[name]["value"], reverse=rising)
    figure = look.blank(height=90 + 24 * len(names), showlegend=False)
    figure.add_scatter(
        x=[found[name]["value"] for name in names],
        y=[look.plain(name) for name in names],
        error_x={
            "array": [found[name]["high"] - found[name]["value"] for name in names],
            "arrayminus": [found[name]["value"] - found[name]["low"] for name in names],
            "thickness": 1.5,
            "width": 4,
            "color": look.INK,
        },
        mode="markers",
        marker={"size": 10, "color": [look.RISK if n == ours else look.NEUTRAL for n in names]},
        hovertemplate="%{y}: %{x:.3f}<extra></extra>",
    )
    figure.update_xaxes(title=f"{title} on held-out units, with 95 % interval")
    return figure


def precision_recall(reports: Mapping[str, Report]) -> go.Figure:
    """Draw precision over recall of each report that has both classes."""
    figure = _curves(reports, "precision_recall", "recall", "precision")
    figure.update_xaxes(title="recall: share of abuse found")
    figure.update_yaxes(title="precision")
    return figure


def roc(reports: Mapping[str, Report]) -> go.Figure:
    """Draw the ROC curve of each report that has both classes."""
    figure = _curves(reports, "roc", "false_positive_rate", "true_positive_rate")
    _diagonal(figure)
    figure.update_xaxes(title="share of legitimate flagged")
    figure.update_yaxes(title="share of abuse found")
    return figure


def calibration(bins: list[dict[str, float]]) -> go.Figure:
    """Draw how often abuse came true where the model said how likely it is."""
    figure = look.blank(height=320, showlegend=False)
    _diagonal(figure)
    figure.add_scatter(
        x=[one["score"] for one in bins],
        y=[one["value"] for one in bins],
        error_y={
            "array": [one["high"] - one["value"] for one in bins],
            "arrayminus": [one["value"] - one["low"] for one in bins],
            "thickness": 1.5,
            "width": 4,
        },
        customdata=[one["units"] for one in bins],
        mode="markers+lines",
        marker={"size": 9, "color": look.RISK},
        line={"color": look.RISK, "width": 1},
        hovertemplate="said %{x:.2f}, came true %{y:.2f} of %{customdata} units<extra></extra>",
    )
    figure.update_xaxes(title="probability the model gave (mean of ten equal groups)")
    figure.update_yaxes(title="share that is abuse")
    return _unit_square(figure)


def _curves(reports: Mapping[str, Report], curve: str, x: str, y: str) -> go.Figure:
    figure = look.blank(height=320)
    colours = (look.RISK, *look.SERIES)
    for number, (name, report) in enumerate(reports.items()):
        if "curves" not in report:
            continue
        points = report["curves"][curve]
        figure.add_scatter(
            x=points[x],
            y=points[y],
            mode="lines",
            name=look.plain(name),
            line={"width": 1.5 if number else 3, "color": colours[number % len(colours)]},
        )
    return _unit_square(figure)


def _diagonal(figure: go.Figure) -> None:
    dashed = {"color": look.INK, "width": 1, "dash": "dot"}
    figure.add_shape(type="line", x0=0, y0=0, x1=1, y1=1, line=dashed)


def _unit_square(figure: go.Figure) -> go.Figure:
    figure.update_xaxes(range=[-0.02, 1.02])
    figure.update_yaxes(range=[-0.02, 1.04])
    return figure
