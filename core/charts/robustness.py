"""Pictures of how robust a model's scores are."""

from typing import Any

import plotly.graph_objects as go

from core.charts import look


def flips(found: dict[str, dict[str, Any]]) -> go.Figure:
    """Draw the share of decisions each small change flips, with its interval, the worst on top.

    Parameters
    ----------
    found
        What the change is -> its measures, see `core.govern.robustness.measure_robustness`.
    """
    names = sorted(found, key=lambda name: found[name]["flipped"]["value"])
    shares = [found[name]["flipped"] for name in names]
    figure = look.blank(height=100 + 30 * len(names), showlegend=False)
    figure.add_scatter(
        x=[one["value"] for one in shares],
        y=[look.plain(name) for name in names],
        error_x=_bars(shares),
        customdata=[(found[name]["units"], found[name]["mean"]) for name in names],
        mode="markers",
        marker={"size": 10, "color": look.RISK},
        hovertemplate="%{y}: flips %{x:.1%} of %{customdata[0]} units, "
        "moves scores by %{customdata[1]:.3f} on average<extra></extra>",
    )
    figure.update_xaxes(
        title="decisions flipped, with 95 % interval", tickformat=".0%", rangemode="tozero"
    )
    return figure


def hiding(recall: dict[str, float], steps: list[dict[str, Any]]) -> go.Figure:
    """Draw how much abuse is still found, by the share of normal events mixed in."""
    found = [recall, *(one["recall"] for one in steps)]
    figure = look.blank(height=280, showlegend=False)
    figure.add_scatter(
        x=[0.0, *(one["share"] for one in steps)],
        y=[one["value"] for one in found],
        error_y=_bars(found),
        mode="lines+markers",
        line={"color": look.RISK, "width": 2},
        marker={"size": 8},
        hovertemplate="%{x:.0%} normal events: %{y:.0%} found<extra></extra>",
    )
    figure.update_xaxes(
        title="normal events, as a share of the sequence", tickformat=".0%", range=[-0.03, 0.8]
    )
    figure.update_yaxes(title="abuse found", tickformat=".0%", range=[-0.02, 1.04])
    return figure


def _bars(found: list[dict[str, float]]) -> dict[str, Any]:
    return {
        "array": [one["high"] - one["value"] for one in found],
        "arrayminus": [one["value"] - one["low"] for one in found],
        "thickness": 1.5,
        "width": 4,
        "color": look.INK,
    }
