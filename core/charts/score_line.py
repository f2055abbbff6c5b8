"""The score after each event, as a line: above a timeline, or of two sequences over each other."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from core.charts import look

STRIP = 84  # pixels above the lanes
APART = 0.28  # of the score's axis: labels closer to each other would overlap

Prefixes = Mapping[str, Any]  # as `core.explain.prefixes.PrefixScores.to_dict` makes it


def above(figure: go.Figure, prefixes: Prefixes, places: npt.NDArray[np.float64]) -> None:
    """Put the line into a strip of its own above what `figure` shows already.

    Parameters
    ----------
    places
        Where each event stands on the horizontal axis, (N,).
    """
    height = figure.layout.height + STRIP
    share = STRIP / (height - figure.layout.margin.t)
    figure.update_layout(height=height, yaxis={"domain": [0, 1 - share]})
    figure.update_layout(
        yaxis2={
            "domain": [1 - 0.82 * share, 1],
            "anchor": "x",
            "range": [-0.06, 1.08],
            "showgrid": False,
            "zeroline": False,
            "automargin": True,
            "tickfont": {"size": 11},
        }
    )
    if not prefixes:
        figure.update_layout(yaxis2={"tickvals": [0, 1], "ticktext": ["0", "score 1"]})
        figure.add_scatter(x=[places[0]], y=[None], yaxis="y2", showlegend=False, hoverinfo="skip")
        return
    _ticks(figure, float(prefixes["threshold"]))
    _draw(figure, prefixes, places[np.asarray(prefixes["events"]) - 1], look.RISK, yaxis="y2")
    _draw_tipping(figure, prefixes, places)


def together(named: Mapping[str, Prefixes]) -> go.Figure:
    """Draw the lines of several sequences over each other, event by event.

    Parameters
    ----------
    named
        Plain name of a sequence -> its prefixes; the first stands out. All have one threshold.
    """
    figure = look.blank(height=240)
    for number, (name, prefixes) in enumerate(named.items()):
        colour = look.SERIES[number - 1] if number else look.RISK
        _draw(figure, prefixes, np.asarray(prefixes["events"], dtype=float), colour, name=name)
    threshold = float(next(iter(named.values()))["threshold"])
    line = {"color": look.INK, "width": 1, "dash": "dot"}
    figure.add_hline(y=threshold, line=line, annotation={"text": "threshold", "font": {"size": 11}})
    figure.update_xaxes(title="event, in order")
    figure.update_yaxes(title="score after the event", range=[-0.04, 1.04])
    return figure


def _draw(
    figure: go.Figure,
    prefixes: Prefixes,
    x: npt.NDArray[np.float64],
    colour: str,
    *,
    name: str | None = None,
    yaxis: str = "y",
) -> None:
    score, seen = prefixes["score"], prefixes["events"]
    of = "" if name is None else f"{look.plain(name)}: "
    figure.add_scatter(
        x=x,
        y=score,
        yaxis=yaxis,
        mode="lines+markers" if len(seen) < 60 else "lines",
        line={"color": colour, "width": 2, "shape": "hv"},
        marker={"size": 4, "color": colour},
        name=None if name is None else look.plain(name),
        showlegend=name is not None,
        hovertext=[f"{of}score {y:.3f} after event {n}" for n, y in zip(seen, score, strict=True)],
        hoverinfo="text",
        # A click on the line chooses nothing: only marks stand for events.
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
    )


def _ticks(figure: go.Figure, threshold: float) -> None:
    ticks = {0.0: "0", 1.0: "score 1"}
    if all(abs(threshold - tick) >= APART for tick in ticks):
        ticks[threshold] = "threshold"
    line = {"color": look.INK, "width": 1, "dash": "dot"}
    figure.add_shape(
        type="line", xref="x domain", x0=0, x1=1, yref="y2", y0=threshold, y1=threshold, line=line
    )
    figure.update_layout(yaxis2={"tickvals": list(ticks), "ticktext": list(ticks.values())})


def _draw_tipping(figure: go.Figure, prefixes: Prefixes, places: npt.NDArray[np.float64]) -> None:
    tipping = prefixes["tipping"]
    if tipping is None:
        return
    score = prefixes["score"][prefixes["events"].index(tipping)]
    words = f"reaches the threshold at event {tipping} of {len(places)}"
    figure.add_scatter(
        x=[places[tipping - 1]],
        y=[score],
        yaxis="y2",
        mode="markers",
        marker={"size": 11, "color": look.RISK, "symbol": "diamond"},
        hovertext=[f"{words}: score {score:.3f}"],
        hoverinfo="text",
        showlegend=False,
        cliponaxis=False,
        unselected={"marker": {"opacity": 1}},
    )
    late = tipping > len(places) / 2
    figure.add_annotation(
        x=places[tipping - 1],
        y=score,
        yref="y2",
        text=f"event {tipping}",
        showarrow=False,
        xanchor="right" if late else "left",
        xshift=-9 if late else 9,
        yshift=-9 if score > 0.5 else 9,
        font={"size": 11, "color": look.RISK},
    )
