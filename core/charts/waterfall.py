"""From the base value to the score: the events that moved it most, the rest summed."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from core.charts import look

MOST_EVENTS = 8


def waterfall(
    base_value: float, profile: float, events: Sequence[float], names: Sequence[str]
) -> go.Figure:
    """Draw how `base_value`, the whole sequence's facts and the events add up to the score.

    Parameters
    ----------
    events, names
        Attribution of each event and what to call it, in order.
    """
    steps = [("whole sequence", profile), *_strongest(np.asarray(events, dtype=float), names)]
    labels = ["nothing known", *(label for label, _ in steps), "score"]
    heights = [base_value, *(value for _, value in steps)]
    reached = np.cumsum(heights)
    said = [
        f"with everything hidden: {base_value:.3f}",
        *(
            f"{look.plain(label)}: {look.signed(value)}, so far {so_far:.3f}"
            for (label, value), so_far in zip(steps, reached[1:], strict=True)
        ),
        f"score: {reached[-1]:.3f}",
    ]
    figure = look.blank(height=300, showlegend=False)
    figure.add_trace(
        go.Waterfall(
            x=list(range(len(labels))),
            y=[*heights, float(reached[-1])],
            measure=["absolute", *["relative"] * len(steps), "total"],
            text=[f"{base_value:.3f}", *(look.signed(v) for _, v in steps), f"{reached[-1]:.3f}"],
            textposition="outside",
            cliponaxis=False,
            increasing={"marker": {"color": look.ABUSE}},
            decreasing={"marker": {"color": look.NORMAL}},
            totals={"marker": {"color": look.NEUTRAL}},
            connector={"line": {"color": look.INK, "width": 1}},
            hovertext=said,
            hoverinfo="text",
        )
    )
    figure.update_xaxes(
        tickvals=list(range(len(labels))),
        ticktext=[look.plain(label, 18) for label in labels],
        tickfont={"size": 11},
    )
    room = 0.12 * max(float(np.ptp([0.0, *reached])), 1e-6)
    low, high = min(0.0, float(reached.min())), max(0.0, float(reached.max()))
    figure.update_yaxes(title="score", range=[low - room * (low < 0), high + room])
    return figure


def _strongest(values: npt.NDArray[np.float64], names: Sequence[str]) -> list[tuple[str, float]]:
    """Return the events that moved the score most, in their order, and the sum of the others."""
    chosen = np.sort(np.argsort(-np.abs(values), kind="stable")[:MOST_EVENTS])
    steps = [(names[i], float(values[i])) for i in chosen]
    if rest := len(values) - len(chosen):
        steps.append((f"the other {rest}", float(values.sum() - values[chosen].sum())))
    return steps
