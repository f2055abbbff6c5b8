"""Colours and layout shared by every figure; all of them hold on a light and on a dark page."""

from html import escape
from typing import Any, Final

import plotly.graph_objects as go

# Orange against purple stays apart for every common kind of colour blindness.
ABUSE: Final = "#e08214"
NORMAL: Final = "#8073ac"
NEUTRAL: Final = "#b4b8bf"
DIVERGING: Final = [
    [0.0, "#6a51a3"],
    [0.25, "#a79bc9"],
    [0.5, "#c9ccd1"],
    [0.75, "#f0a94e"],
    [1.0, "#d9680a"],
]
RISK: Final = "#c2570c"  # the one colour of risk, on pages too
INK: Final = "#7d848e"  # lines and notes, readable on white and on near-black
SERIES: Final = ("#2b6c8f", "#d9902f", "#7a6bb0", "#5f9e6e", "#a8577e", "#7c7f86")


def blank(height: int, **layout: Any) -> go.Figure:
    """Return an empty figure of the house style."""
    figure = go.Figure()
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hoverlabel={"align": "left"},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "title": None},
        colorway=list(SERIES),
        **layout,
    )
    figure.update_xaxes(showgrid=False, zeroline=False, automargin=True)
    figure.update_yaxes(gridcolor="rgba(125,132,142,0.18)", zeroline=False, automargin=True)
    return figure


def signed(value: float) -> str:
    """Write a share of a score, with one more digit where it is small."""
    return f"{value:+.4f}" if abs(value) < 0.01 else f"{value:+.3f}"


def plain(text: object, longest: int = 60) -> str:
    """Return `text` shortened, and escaped, since Plotly reads labels as HTML."""
    words = str(text)
    return escape(words if len(words) <= longest else words[: longest - 1] + "…", quote=False)
