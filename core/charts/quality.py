"""Pictures of a log's quality, from the report of `core.logs.quality`."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from core.charts import look
from core.wording import duration

MOST_BARS = 15
_BAR = 22  # pixels

Quality = Mapping[str, Any]


def events_over_time(quality: Quality) -> go.Figure:
    """Draw how many events happened when, the unusual gaps shaded."""
    drawn = quality["events_over_time"]
    starts, counts = zip(*drawn["events"], strict=True)
    figure = look.blank(height=240, bargap=0.05)
    figure.add_bar(
        x=pd.to_datetime(list(starts)),
        y=counts,
        width=drawn["seconds"] * 1000,
        offset=0,
        marker={"color": look.SERIES[0]},
        hovertemplate="%{y:,} events from %{x|%d %b %Y %H:%M}<extra></extra>",
    )
    for number, gap in enumerate(quality["gaps"]["longest"]):
        figure.add_vrect(
            x0=gap["from"],
            x1=gap["to"],
            fillcolor=look.ABUSE,
            opacity=0.25,
            line={"width": 0},
            # The labels of several gaps would lie on each other.
            annotation={"text": f"no event for {duration(gap['seconds'])}", "font_size": 12}
            if number == 0
            else None,
            annotation_position="top left",
        )
    figure.update_xaxes(title="time (UTC)")
    figure.update_yaxes(title="events", rangemode="tozero")
    return figure


def sequence_lengths(quality: Quality) -> go.Figure:
    """Draw how many sequences have how many events, in doubling buckets."""
    up_to = {int(most): number for most, number in quality["sequences_up_to"].items()}
    labels = [str(most) if most < 3 else f"{most // 2 + 1}–{most}" for most in up_to]
    figure = look.blank(height=240, bargap=0.12)
    figure.add_bar(x=labels, y=list(up_to.values()), marker={"color": look.SERIES[0]})
    figure.update_traces(hovertemplate="%{y:,} sequences of %{x} events<extra></extra>")
    figure.update_xaxes(title="events in the sequence", type="category")
    figure.update_yaxes(title="sequences")
    return figure


def missing(quality: Quality) -> go.Figure | None:
    """Draw the share of events without a value by column; None where no column lacks any."""
    shares = {column: share for column, share in quality["missing"].items() if share}
    return _bars(shares, ["%{x:.1%} of events lack it"] * len(shares), "missing, of all events")


def heaviest_actors(quality: Quality) -> go.Figure | None:
    """Draw the actors with the most events."""
    actors = quality["heaviest_actors"]
    shares = {actor["actor_id"]: actor["share"] for actor in actors}
    details = [f"{actor['events']:,} events, %{{x:.1%}} of all" for actor in actors]
    return _bars(shares, details, "share of all events")


def outliers(quality: Quality) -> go.Figure | None:
    """Draw how many values of each numeric column lie far outside; None where none does."""
    found = {column: told for column, told in quality["outliers"].items() if told["outliers"]}
    details = [
        f"%{{x:,}} outside {_range(told['low'], told['high'])}; "
        f"values from {told['lowest']:,.6g} to {told['highest']:,.6g}"
        for told in found.values()
    ]
    counts = {column: told["outliers"] for column, told in found.items()}
    return _bars(counts, details, "values far outside the usual", percent=False)


def vocabulary(quality: Quality) -> go.Figure | None:
    """Draw the share of events whose value is too rare for a word of its own, by column."""
    folding = {
        column: told
        for column, told in quality["vocabulary"].items()
        if told["other_share"] is not None
    }
    details = [
        f"%{{x:.1%}} of events; {told['kept']:,} of {told['values']:,} values have a word"
        for told in folding.values()
    ]
    shares = {column: told["other_share"] for column, told in folding.items()}
    return _bars(shares, details, "events a model sees as a rare value")


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return f"up to {high:,.6g}"
    return f"{low:,.6g} and above" if high is None else f"{low:,.6g} to {high:,.6g}"


def _bars(
    values: Mapping[str, float], details: Sequence[str], title: str, *, percent: bool = True
) -> go.Figure | None:
    """Draw one bar per name, the longest on top; None where there is nothing to draw."""
    if not values:
        return None
    ranked = sorted(zip(values.items(), details, strict=True), key=lambda bar: -bar[0][1])
    shown = ranked[:MOST_BARS]
    figure = look.blank(height=70 + _BAR * len(shown), bargap=0.25)
    figure.add_bar(
        x=[value for (_, value), _ in shown],
        y=list(range(len(shown))),
        orientation="h",
        marker={"color": look.SERIES[0]},
        hovertemplate=[f"{detail}<extra></extra>" for _, detail in shown],
    )
    figure.update_layout(margin={"t": 8})
    figure.update_xaxes(title=title, tickformat=".0%" if percent else ",", rangemode="tozero")
    figure.update_yaxes(
        tickvals=list(range(len(shown))),
        ticktext=[look.plain(name, 28) for (name, _), _ in shown],
        autorange="reversed",
        showgrid=False,
    )
    return figure
