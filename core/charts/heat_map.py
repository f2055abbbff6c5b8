"""Which fact of which event moved the score: events across, facts down."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from core.charts import look

MOST_COLUMNS = 120  # more events are drawn as bundles of neighbours
MOST_ROWS = 14
REST = "other facts"


def heat_map(tokens: pd.DataFrame, *, events: int, names: Sequence[str]) -> go.Figure:
    """Draw the attribution of every fact of every event, the strongest facts on top.

    Parameters
    ----------
    tokens
        A row per token: event (1-based), fact (its name in plain words), words, value.
    events
        Number of events, those without any token included.
    names
        What to call each event, (events,).
    """
    width = -(-events // MOST_COLUMNS)
    cells = tokens.assign(column=(tokens["event"] - 1) // width)
    strength = cells["value"].abs().groupby(cells["fact"]).sum().sort_values(ascending=False)
    kept = strength.index[:MOST_ROWS]
    cells["fact"] = cells["fact"].where(cells["fact"].isin(kept), REST)
    rows = [*kept, *([REST] if len(strength) > len(kept) else [])]
    grid, said = _cells(cells, rows, -(-events // width))
    # The row of the rest is a sum of many: on its scale the others would all be grey.
    reach = max(float(np.nanmax(np.abs(grid[: len(kept)]), initial=0.0)), 1e-9)
    starts = range(0, events, width)
    spoken = [_column(start, min(start + width, events), names) for start in starts]
    figure = look.blank(height=110 + 22 * len(rows))
    figure.add_heatmap(
        z=grid,
        x=[start + (width + 1) / 2 for start in starts],
        y=list(range(len(rows))),
        colorscale=look.DIVERGING,
        zmin=-reach,
        zmax=reach,
        hoverongaps=False,
        xgap=1 if len(starts) <= 60 else 0,
        ygap=1,
        text=[[f"<b>{at}</b><br>{words}" for at, words in zip(spoken, line, strict=True)]
              for line in said],
        hovertemplate="%{text}<extra></extra>",
        colorbar={"title": {"text": "moved by"}, "thickness": 10, "tickformat": "+.2g"},
    )  # fmt: skip
    figure.update_xaxes(title="event, in order", range=[0.5, events + 0.5])
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=[look.plain(row, 42) for row in rows],
        autorange="reversed",
        showgrid=False,
    )
    return figure


def _column(first: int, end: int, names: Sequence[str]) -> str:
    return look.plain(names[first]) if end == first + 1 else f"events {first + 1}–{end}"


def _cells(
    cells: pd.DataFrame, rows: list[str], columns: int
) -> tuple[npt.NDArray[np.float64], list[list[str]]]:
    """Return the sum of each cell, (rows, columns), and its words; NaN and "" where nothing is."""
    place = {row: number for number, row in enumerate(rows)}
    joined = cells.groupby([cells["fact"].map(place), "column"]).agg(
        value=("value", "sum"), words=("words", "first"), tokens=("value", "size")
    )
    grid = np.full((len(rows), columns), np.nan)
    said = [[""] * columns for _ in rows]
    for (row, column), value, words, tokens in joined.itertuples():
        grid[row, column] = value
        what = look.plain(words) if tokens == 1 else f"{tokens} tokens together"
        said[row][column] = f"{what}: {look.signed(value)}"
    return grid, said
