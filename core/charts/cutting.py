"""How long sequences are before they are cut, to choose where to."""

from collections.abc import Mapping

import plotly.graph_objects as go

from core.charts import look


def whole_sequences(lengths: Mapping[int, int], most: int) -> go.Figure:
    """Draw how many sequences have how many events, those too long to stay whole apart.

    Parameters
    ----------
    lengths
        Events of a sequence -> sequences.
    most
        The longest that stays whole.
    """
    ends = _ends(max(lengths), most)
    starts = [1, *(end + 1 for end in ends[:-1])]
    labels = [str(a) if a == b else f"{a:,}–{b:,}" for a, b in zip(starts, ends, strict=True)]
    heights = [
        sum(number for length, number in lengths.items() if start <= length <= end)
        for start, end in zip(starts, ends, strict=True)
    ]
    figure = look.blank(height=220, bargap=0.12)
    whole = sum(end <= most for end in ends)
    for name, part in (("stay whole", slice(whole)), (f"split at {most:,}", slice(whole, None))):
        figure.add_bar(x=labels[part], y=heights[part], name=name)
    figure.update_traces(hovertemplate="%{y:,} sequences of %{x} events<extra></extra>")
    figure.update_xaxes(title="events in the sequence", type="category")
    figure.update_yaxes(title="sequences")
    figure.update_layout(showlegend=len(ends) > whole)
    return figure


def _ends(longest: int, most: int) -> list[int]:
    """Return where bars end: at powers of two, and at `most`, so that no bar is both."""
    powers = {2**power for power in range(longest.bit_length())}
    return sorted(powers | {longest} | ({most} if most < longest else set()))
