"""Two sequences event by event, under each other, equal actions in one column."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from core.charts import look
from core.explain.aligning import Pair

MOST_LANES = 8
OTHER = "other"
WIDE = 60  # columns; with more the marks are smaller


@dataclass(frozen=True)
class Side:
    """One of two sequences: what to call it, its actions, and what each event did to its score."""

    name: str
    actions: Sequence[str]
    moved: Sequence[float]


def side_by_side(left: Side, right: Side, pairs: Sequence[Pair]) -> go.Figure:
    """Draw two aligned sequences; events without an equal one opposite are hollow.

    Parameters
    ----------
    pairs
        As `core.explain.aligning.align` makes them.
    """
    lanes = _lanes(left, right)
    figure = look.blank(height=120 + 44 * len(lanes), showlegend=False)
    reach = max((abs(value) for side in (left, right) for value in side.moved), default=0) or 1e-9
    equal = [
        own is not None and other is not None and left.actions[own] == right.actions[other]
        for own, other in pairs
    ]
    ticks = {
        "tickvals": list(range(len(lanes))),
        "ticktext": [look.plain(one, 20) for one in lanes],
    }
    halves = {"y": (left, 0, [0.54, 0.96]), "y2": (right, 1, [0.0, 0.42])}
    for axis, (side, place, domain) in halves.items():
        layout = {"domain": domain, "range": [-0.7, len(lanes) - 0.3], "automargin": True, **ticks}
        layout |= {"gridcolor": "rgba(125,132,142,0.18)", "zeroline": False, "anchor": "x"}
        figure.update_layout({axis.replace("y", "yaxis"): layout})
        cells = [
            (column, pair[place], same)
            for column, (pair, same) in enumerate(zip(pairs, equal, strict=True), start=1)
            if pair[place] is not None
        ]
        figure.add_trace(_marks(side, cells, lanes, axis, reach, wide=len(pairs) > WIDE))
        figure.add_annotation(
            text=f"<b>{look.plain(side.name)}</b>, {len(side.actions)} events",
            showarrow=False, x=0, xref="paper", xanchor="left", y=domain[1], yref="paper",
            yanchor="bottom", font={"size": 12, "color": look.INK},
        )  # fmt: skip
    figure.update_xaxes(
        title="events beside each other, in order", range=[0.3, len(pairs) + 0.7], anchor="y2"
    )
    return figure


def _lanes(left: Side, right: Side) -> list[str]:
    """Return the actions of both by falling frequency, the rarest joined."""
    every = [*left.actions, *right.actions]
    ranked = sorted(set(every), key=lambda one: (-every.count(one), one))
    return ranked if len(ranked) <= MOST_LANES else [*ranked[: MOST_LANES - 1], OTHER]


def _marks(
    side: Side,
    cells: Sequence[tuple[int, int | None, bool]],
    lanes: list[str],
    axis: str,
    reach: float,
    *,
    wide: bool,
) -> go.Scatter:
    place = {lane: number for number, lane in enumerate(lanes)}
    rows = [(column, event, same) for column, event, same in cells if event is not None]
    return go.Scatter(
        x=[column for column, _, _ in rows],
        y=[place.get(side.actions[event], len(lanes) - 1) for _, event, _ in rows],
        yaxis=axis,
        mode="markers",
        marker={
            "size": 7 if wide else 14,
            "symbol": ["circle" if same else "circle-open" for _, _, same in rows],
            "color": [side.moved[event] for _, event, _ in rows],
            "colorscale": look.DIVERGING,
            "cmin": -reach,
            "cmax": reach,
            "line": {"width": 2, "color": look.INK},
        },
        hovertext=[
            f"<b>{event + 1}. {look.plain(side.actions[event])}</b><br>"
            f"moved the score by {look.signed(side.moved[event])}<br>"
            + (
                "the other did the same here"
                if same
                else "the other did something else, or nothing"
            )
            for _, event, same in rows
        ],
        hoverinfo="text",
        cliponaxis=False,
    )
