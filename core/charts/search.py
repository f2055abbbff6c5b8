"""Pictures of a search: what every trial reached, and which settings led there."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.charts import look

TICKS = 4  # of an axis of settings
WIDE = 5.0  # from the least to the greatest, from which on an axis goes by magnitude


def history(trials: pd.DataFrame) -> go.Figure:
    """Draw what each trial reached and the best so far.

    Parameters
    ----------
    trials
        Columns ``trial``, ``status`` and ``value`` (validation average precision, NaN if none).
    """
    figure = look.blank(height=300)
    shown = {"done": ("finished", look.SERIES[0]), "pruned": ("given up early", look.NEUTRAL)}
    for status, (name, colour) in shown.items():
        part = trials[trials["status"].eq(status) & trials["value"].notna()]
        if not part.empty:
            figure.add_scatter(
                x=part["trial"],
                y=part["value"],
                mode="markers",
                marker={"size": 9, "color": colour},
                name=name,
                hovertemplate="trial %{x}: %{y:.4f}<extra>" + name + "</extra>",
            )
    best = trials["value"].where(trials["status"].eq("done")).cummax()
    figure.add_scatter(
        x=trials["trial"],
        y=best,
        mode="lines",
        line={"color": look.RISK, "shape": "hv"},
        name="best so far",
        hoverinfo="skip",
    )
    figure.update_xaxes(title="trial")
    figure.update_yaxes(title="validation average precision")
    return figure


def parallel(settings: pd.DataFrame, value: pd.Series) -> go.Figure:
    """Draw every trial as a line through its settings to what it reached.

    Parameters
    ----------
    settings
        One numeric column per setting, named as it is to be read.
    value
        Validation average precision of each trial, without NaN.
    """
    figure = look.blank(height=340)
    reached = {"label": "validation AP", "values": value}
    figure.add_parcoords(
        dimensions=[*(_axis(name, settings[name]) for name in settings), reached],
        line={"color": value, "colorscale": [[0, look.NEUTRAL], [1, look.RISK]]},
        labelfont={"size": 12},
        labelside="bottom",
    )
    figure.update_layout(margin={"l": 48, "r": 48, "t": 24, "b": 48})
    return figure


def _axis(name: object, values: pd.Series) -> dict[str, object]:
    """Return one axis, its places spread by magnitude where the values span several."""
    numbers = values.to_numpy(dtype=float)
    wide = numbers.min() > 0 and numbers.max() / numbers.min() >= WIDE
    places = np.log10(numbers) if wide else numbers
    distinct = np.unique(places)
    ticks = distinct if len(distinct) <= TICKS else np.linspace(distinct[0], distinct[-1], TICKS)
    written = [f"{10**tick if wide else tick:.3g}" for tick in ticks]
    return {"label": str(name), "values": places, "tickvals": ticks, "ticktext": written}
