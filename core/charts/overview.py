"""Pictures of many: scores, training runs, lengths, actions over time, models side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.charts import look
from core.schema import Column

BINS = 50
METRICS = {
    "roc_auc": "ROC-AUC",
    "average_precision": "Average precision",
    "f1": "F1",
    "precision": "Precision",
    "recall": "Recall",
}


def score_histogram(scores: Sequence[float], threshold: float, *, word: str) -> go.Figure:
    """Draw how many actors have which score, those at or above the threshold in the risk colour."""
    counts, edges = np.histogram(np.asarray(scores, dtype=float), bins=BINS, range=(0.0, 1.0))
    middles = (edges[:-1] + edges[1:]) / 2
    figure = look.blank(height=220, bargap=0.05)
    figure.add_bar(
        x=middles,
        y=counts,
        marker={"color": [look.RISK if m >= threshold else look.NEUTRAL for m in middles]},
        hovertemplate="%{y:,} actors at %{x:.2f}<extra></extra>",
    )
    figure.add_vline(
        x=threshold,
        line={"color": look.INK, "width": 2},
        annotation={"text": f"threshold {threshold:.2f}", "font": {"size": 12}},
        annotation_position="top left" if threshold > 0.5 else "top right",
    )
    figure.update_xaxes(title=word, range=[0, 1])
    # A queue is a thin tail: on a linear axis it would vanish beside the bulk.
    top = float(np.log10(max(int(counts.max()), 10) * 1.5))
    figure.update_yaxes(title="actors", type="log", dtick=1, range=[-0.2, top])
    return figure


def curve(points: Sequence[dict[str, Any]]) -> go.Figure:
    """Draw the losses of a training run, its phases one after the other."""
    frame = pd.DataFrame(list(points)).assign(step=range(1, len(points) + 1))
    figure = look.blank(height=240)
    lines = {"loss": ("", "solid"), "validation_loss": (", held-out sequences", "dot")}
    for phase, part in frame.groupby("phase", sort=False):
        for column, (suffix, dash) in lines.items():
            if column in part and part[column].notna().any():
                name = f"{phase}{suffix}"
                figure.add_scatter(x=part["step"], y=part[column], name=name, line={"dash": dash})
    figure.update_traces(mode="lines+markers", marker={"size": 5})
    figure.update_xaxes(
        title="round through the data",
        range=[0.7, len(points) + 0.3],
        tick0=1,
        dtick=max(1, len(points) // 12),
    )
    figure.update_yaxes(title="loss (lower is better)", rangemode="tozero")
    return figure


def lengths(events: Sequence[int]) -> go.Figure:
    """Draw how many sequences have how many events, in doubling buckets."""
    counts = np.asarray(events, dtype=int)
    top = max(int(counts.max(initial=1)), 1)
    starts = [1, 2] + [2**power + 1 for power in range(1, int(np.ceil(np.log2(max(top, 2)))))]
    ends = [start - 1 for start in starts[1:]] + [max(top, starts[-1])]
    labels = [str(a) if a == b else f"{a}–{b}" for a, b in zip(starts, ends, strict=True)]
    heights = [
        int(((counts >= a) & (counts <= b)).sum()) for a, b in zip(starts, ends, strict=True)
    ]
    figure = look.blank(height=260, bargap=0.12)
    figure.add_bar(x=labels, y=heights, marker={"color": look.SERIES[0]})
    figure.update_traces(hovertemplate="%{y:,} sequences of %{x} events<extra></extra>")
    figure.update_xaxes(title="events in the sequence", type="category")
    figure.update_yaxes(title="sequences")
    return figure


def actions_over_time(frame: pd.DataFrame) -> go.Figure:
    """Draw events by time and action, from rows of ts, action, events; the rarest joined."""
    totals = frame.groupby(Column.ACTION)[Column.EVENTS].sum().sort_values(ascending=False)
    kept = totals.index[:5]
    named = frame.assign(
        action=frame[Column.ACTION].where(frame[Column.ACTION].isin(kept), "other")
    )
    table = named.pivot_table(
        index=Column.TIME, columns=Column.ACTION, values=Column.EVENTS, aggfunc="sum", fill_value=0
    )
    figure = look.blank(height=280, barmode="stack", bargap=0.05)
    for action in [*kept, *(["other"] if len(totals) > len(kept) else [])]:
        figure.add_bar(x=table.index, y=table[action], name=str(action))
    figure.update_xaxes(title="time (UTC)")
    figure.update_yaxes(title="events")
    return figure


def metric_comparison(reports: Mapping[str, dict[str, Any]]) -> go.Figure:
    """Draw the metrics of models beside each other.

    Parameters
    ----------
    reports
        Name of a model -> name of a metric -> ``{"value", "low", "high"}``; other entries are
        left out.
    """
    names = [name for name in METRICS if any(report.get(name) for report in reports.values())]
    rows = {name: len(names) - number for number, name in enumerate(names)}
    figure = look.blank(height=90 + (18 * len(reports) + 14) * len(names))
    for number, (model, report) in enumerate(reports.items()):
        found = [(rows[name], report[name]) for name in names if report.get(name)]
        shift = 0.6 * ((len(reports) - 1) / 2 - number) / len(reports)
        figure.add_scatter(
            x=[metric["value"] for _, metric in found],
            y=[row + shift for row, _ in found],
            error_x={
                "array": [metric["high"] - metric["value"] for _, metric in found],
                "arrayminus": [metric["value"] - metric["low"] for _, metric in found],
                "thickness": 1.5,
                "width": 4,
            },
            mode="markers",
            marker={"size": 10},
            name=look.plain(model),
            hovertemplate="%{x:.3f}<extra>" + look.plain(model) + "</extra>",
        )
    figure.update_xaxes(title="on held-out units, with 95 % interval", range=[-0.02, 1.02])
    figure.update_yaxes(
        tickvals=list(rows.values()), ticktext=[METRICS[name] for name in names], showgrid=False
    )
    return figure
