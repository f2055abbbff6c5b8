"""What moved a score most, part by part."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from core.charts import look

MOST_BARS = 14


def by_token(names: Sequence[str], values: Sequence[float], *, most: int = MOST_BARS) -> go.Figure:
    """Draw the parts that moved the score most, the rest joined so that the bars still add up."""
    order = np.argsort(-np.abs(np.asarray(values, dtype=float)), kind="stable")
    shown = [int(index) for index in order[:most]]
    rest = [int(index) for index in order[most:]]
    labels = [names[index] for index in shown]
    heights = [float(values[index]) for index in shown]
    if rest:
        labels.append(f"the other {len(rest)} together")
        heights.append(float(sum(values[index] for index in rest)))
    figure = look.blank(height=70 + 26 * len(labels))
    figure.add_bar(
        x=heights,
        y=list(range(len(labels))),
        orientation="h",
        marker={"color": [look.ABUSE if value > 0 else look.NORMAL for value in heights]},
        text=[f"{look.signed(value)}" for value in heights],
        textposition="outside",
        cliponaxis=False,
        hovertext=[
            f"{look.plain(n, 120)}: {look.signed(v)}" for n, v in zip(labels, heights, strict=True)
        ],
        hoverinfo="text",
    )
    reach = max([abs(value) for value in heights], default=1.0) * 1.25
    figure.update_yaxes(
        tickvals=list(range(len(labels))),
        ticktext=[look.plain(label) for label in labels],
        autorange="reversed",
        showgrid=False,
    )
    low = -reach if min(heights, default=0.0) < 0 else -reach * 0.05
    high = reach if max(heights, default=0.0) > 0 else reach * 0.05
    figure.update_xaxes(
        title="moved the score by",
        range=[low, high],
        zeroline=True,
        zerolinecolor=look.INK,
        exponentformat="none",
    )
    return figure
