"""Pictures of how well the score follows what each method of explaining calls important."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import plotly.graph_objects as go

from core.charts import look
from core.explain.naming import METHOD_WORDS

AXES: Final = {
    "deletion": "share of the case hidden, what counts most first",
    "insertion": "share of the case shown, what counts most first",
}


def curves(methods: Sequence[Mapping[str, Any]], shares: Sequence[float], kind: str) -> go.Figure:
    """Draw the mean score of the cases while parts are hidden or shown.

    Parameters
    ----------
    methods
        As `core.explain.faithfulness.measure_faithfulness` gives them; a random order is dotted.
    shares
        Of the parts, at which the curves are known.
    kind
        ``deletion`` or ``insertion``.
    """
    figure = look.blank(height=340)
    colours = dict(zip(METHOD_WORDS, look.SERIES, strict=False))
    for method in methods:
        name, chance = METHOD_WORDS[method["method"]], method["method"] == "random"
        colour = look.INK if chance else colours[method["method"]]
        figure.add_scatter(
            x=list(shares),
            y=method["curves"][kind],
            mode="lines",
            name=look.plain(name),
            line={"color": colour, "width": 2, "dash": "dot" if chance else "solid"},
            hovertemplate="%{x:.0%}: score %{y:.3f}<extra>" + look.plain(name) + "</extra>",
        )
    figure.update_xaxes(title=AXES[kind], tickformat=".0%", range=[-0.01, 1.01])
    figure.update_yaxes(title="mean score", range=[-0.02, 1.02])
    return figure
