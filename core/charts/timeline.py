"""The timeline: what one actor did, when, how much, and which events moved the score."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from core.charts import axis, look, score_line
from core.charts.axis import Floats, Span
from core.schema import Column
from core.wording import duration

MOST_MARKS = 2000  # more are drawn as bundles
BUNDLES = 160
MOST_LANES = 12
SMALLEST, LARGEST = 9.0, 30.0  # diameters, pixels
ROOM = 900.0  # pixels a lane has for its marks before they must shrink
MOST_NOTES = 6


def timeline(
    events: pd.DataFrame,
    *,
    by_time: bool,
    values: Sequence[float] | None = None,
    details: Sequence[str] | None = None,
    poles: tuple[str, str] = ("towards abuse", "towards normal"),
    prefixes: Mapping[str, Any] | None = None,
) -> go.Figure:
    """Draw a sequence's events in lanes by action.

    Parameters
    ----------
    events
        Canonical events of one sequence, in order.
    by_time
        Real time (long gaps broken) rather than one step per event; needs times.
    values
        Attribution of each event; without it the marks are grey.
    details
        Further lines for each event's hover text, as HTML.
    poles
        What positive and negative attribution mean.
    prefixes
        The score after each event, drawn as a line above the lanes; as
        `core.explain.prefixes.PrefixScores.to_dict` makes it, without numbers as long as they are
        being computed: the line's place stays free.
    """
    marks = _marks(events, values, details)
    notes: list[tuple[Span, float, float, str]] = []
    figure = look.blank(height=200)
    if by_time:
        marks["x"] = _time_axis(figure, events[Column.TIME])
    else:
        marks["x"] = np.arange(1.0, len(events) + 1)
        figure.update_xaxes(title="event, in order", range=[0.3, len(events) + 0.7])
    if events[Column.TIME].notna().all() and len(events):
        notes = _bursts(axis.seconds_since_start(events[Column.TIME]), marks["x"].to_numpy())
    lanes = _lanes(figure, marks, headroom=0.75 if notes else 0.4)
    places = marks["x"].to_numpy()
    if len(marks) > MOST_MARKS:
        marks = _bundled(marks)
    figure.add_trace(_trace(marks, with_values=values is not None))
    if prefixes is not None:
        score_line.above(figure, prefixes, places)
    _draw_bursts(figure, notes, lanes)
    if values is not None:
        _draw_key(figure, *poles)
    return figure


def _marks(
    events: pd.DataFrame, values: Sequence[float] | None, details: Sequence[str] | None
) -> pd.DataFrame:
    actions = events[Column.ACTION].astype(str)
    kept = actions.value_counts().index[: MOST_LANES - 1]
    few = actions.nunique() <= MOST_LANES
    amounts = events[Column.AMOUNT].to_numpy(dtype=float, na_value=np.nan)
    return pd.DataFrame(
        {
            "position": events[Column.POSITION].to_numpy(),
            "lane": actions if few else actions.where(actions.isin(kept), "other"),
            "size": amounts,
            "value": 0.0 if values is None else np.asarray(values, dtype=float),
            "count": 1,
            "text": _hover(events, values, details),
        }
    ).reset_index(drop=True)


def _hover(
    events: pd.DataFrame, values: Sequence[float] | None, details: Sequence[str] | None
) -> list[str]:
    texts = []
    shown = events[[Column.ACTION, Column.TIME, Column.ITEM, Column.AMOUNT]].astype(object)
    for number, (action, ts, item, amount) in enumerate(zip(*shown.T.to_numpy(), strict=True)):
        lines = [f"<b>{number + 1}. {look.plain(action)}</b>"]
        if pd.notna(ts):
            lines.append(f"{ts:%d %b %Y %H:%M:%S} UTC")
        if pd.notna(item):
            lines.append(f"item {look.plain(item)}")
        if pd.notna(amount):
            lines.append(f"amount {amount:,.2f}")
        if values is not None:
            lines.append(f"moved the score by {look.signed(values[number])}")
        if details is not None and details[number]:
            lines.append(details[number])
        texts.append("<br>".join(lines))
    return texts


def _time_axis(figure: go.Figure, ts: pd.Series) -> Floats:
    time = axis.broken(axis.seconds_since_start(ts))
    places = time.places
    width = max(float(places[-1] - places[0]), 1.0)
    at, labels = axis.time_labels(ts, time)
    figure.update_xaxes(
        tickvals=at,
        ticktext=labels,
        range=[places[0] - 0.04 * width, places[-1] + 0.04 * width],
    )
    middles = np.array([(places[b.first] + places[b.last]) / 2 for b in time.breaks])
    dotted = {"color": look.INK, "width": 1, "dash": "dot"}
    whole = {"type": "line", "yref": "y domain", "y0": 0, "y1": 1, "line": dotted}
    # All at once: each `add_vline` copies those before it, seconds for a hundred breaks.
    figure.update_layout(shapes=[{**whole, "x0": x, "x1": x} for x in middles.tolist()])
    longest = np.argsort([-b.seconds for b in time.breaks], kind="stable")[:40]
    for index in axis.spaced(middles, longest, width / 10)[:MOST_NOTES]:
        label = f"{duration(time.breaks[index].seconds)} later"
        _note(figure, middles[index], 1.0, label, yref="paper", yanchor="bottom")
    return places


def _bursts(seconds: Floats, places: Floats) -> list[tuple[Span, float, float, str]]:
    found = sorted(axis.bursts(seconds), key=lambda span: span.first - span.last)[:40]
    width = max(float(places[-1] - places[0]), 1e-9)
    middles = np.array([(places[s.first] + places[s.last]) / 2 for s in found])
    kept = axis.spaced(middles, np.arange(len(found)), width / 8)[:MOST_NOTES]
    return [
        (
            found[i],
            float(places[found[i].first]),
            float(places[found[i].last]),
            f"{found[i].last - found[i].first + 1} in {duration(found[i].seconds)}",
        )
        for i in kept
    ]


def _draw_bursts(
    figure: go.Figure, notes: list[tuple[Span, float, float, str]], lanes: int
) -> None:
    for _, start, end, label in notes:
        line = {"color": look.INK, "width": 2}
        top = lanes - 0.5
        figure.add_shape(type="line", x0=start, x1=end, y0=top, y1=top, line=line)
        for edge in (start, end):
            figure.add_shape(type="line", x0=edge, x1=edge, y0=top - 0.1, y1=top, line=line)
        _note(figure, (start + end) / 2, top, label, yanchor="bottom")


def _draw_key(figure: go.Figure, positive: str, negative: str) -> None:
    figure.add_annotation(
        text=f"<span style='color:{look.ABUSE}'>●</span> {positive} &nbsp; "
        f"<span style='color:{look.NORMAL}'>●</span> {negative}",
        showarrow=False,
        font={"size": 12, "color": look.INK},
        **{"x": 1, "xref": "paper", "xanchor": "right"},
        **{"y": 1, "yref": "paper", "yanchor": "bottom", "yshift": 18},
    )


def _note(figure: go.Figure, x: float, y: float, text: str, **where: Any) -> None:
    font = {"size": 11, "color": look.INK}
    figure.add_annotation(x=x, y=y, text=text, showarrow=False, font=font, **where)


def _lanes(figure: go.Figure, marks: pd.DataFrame, *, headroom: float) -> int:
    """Name the lanes, the most frequent action at the bottom, and replace names by numbers."""
    names = marks["lane"].value_counts().index.tolist()
    marks["y"] = marks["lane"].map({name: number for number, name in enumerate(names)})
    short = [look.plain(name, 22) for name in names]
    figure.update_yaxes(
        tickvals=list(range(len(names))), ticktext=short, range=[-0.6, len(names) - 1 + headroom]
    )
    figure.update_layout(height=124 + 36 * len(names), margin={"t": 44})
    return len(names)


def _bundled(marks: pd.DataFrame) -> pd.DataFrame:
    """Join the marks of a lane that would lie on each other anyway."""
    cells = pd.cut(marks["x"], BUNDLES, labels=False)
    grouped = marks.groupby(["y", cells], sort=True)
    bundles = grouped.agg(
        x=("x", "mean"),
        lane=("lane", "first"),
        position=("position", list),
        value=("value", "sum"),
        count=("count", "sum"),
        first=("text", "first"),
    ).reset_index(level="y")
    bundles["size"] = bundles["count"].astype(float)
    columns = (bundles[name] for name in ("count", "lane", "value", "first"))
    bundles["text"] = [
        first if count == 1 else f"<b>{count} × {look.plain(lane)}</b><br>{_pushes(value)}"
        for count, lane, value, first in zip(*columns, strict=True)
    ]
    return bundles


def _pushes(value: float) -> str:
    return (
        f"together they moved the score by {look.signed(value)}"
        if value
        else "zoom in for the events"
    )


def _trace(marks: pd.DataFrame, *, with_values: bool) -> go.Scatter:
    marker: dict[str, Any] = {
        "size": _diameters(
            marks["size"].to_numpy(dtype=float), busiest=marks["y"].value_counts().max()
        ),
        "color": look.NEUTRAL,
        "line": {"width": 1, "color": look.INK},
        "opacity": 0.92,
    }
    if with_values:
        reach = max(float(marks["value"].abs().max()), 1e-9)
        marker |= {
            "color": marks["value"],
            "colorscale": look.DIVERGING,
            "cmin": -reach,
            "cmax": reach,
        }
    return go.Scatter(
        x=marks["x"],
        y=marks["y"],
        mode="markers",
        marker=marker,
        customdata=marks["position"].tolist(),
        hovertext=marks["text"],
        hoverinfo="text",
        cliponaxis=False,
        showlegend=False,
        # A click dims the rest a little; Plotly's default would hide its colours.
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 0.6}},
    )


def _diameters(sizes: Floats, *, busiest: int) -> npt.NDArray[np.float64]:
    """Make areas proportional to amounts, smaller where a lane is crowded."""
    top = float(np.clip(ROOM / busiest, SMALLEST + 4, LARGEST))
    largest = np.nanmax(sizes) if np.isfinite(sizes).any() else 0.0
    if largest <= 0:
        return np.full(len(sizes), min(13.0, top))
    shares = np.sqrt(np.clip(np.nan_to_num(sizes, nan=0.0), 0, None) / largest)
    return SMALLEST + (top - SMALLEST) * shares
