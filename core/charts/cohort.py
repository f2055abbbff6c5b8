"""Pictures of many cases: what the model leans on, and how it treats groups."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from core.charts import look
from core.wording import percent

MOST_FACTS = 14
MOST_GROUPS = len(look.SERIES)
RATES = {
    "flagged": "flagged, of all actors",
    "false_alarms": "flagged, of the legitimate",
    "missed": "not flagged, of the abusive",
}

Group = Mapping[str, Any]


def leaning(groups: Sequence[Group], names: Mapping[str, str]) -> go.Figure:
    """Draw how far each fact moved the scores of each group, the strongest on top.

    Parameters
    ----------
    groups
        As `core.explain.cohort.cohort` gives them; those without explanations are left out.
    names
        Plain names of groups.
    """
    shown = [group for group in groups if group["explained"]][:MOST_GROUPS]
    strength: dict[str, float] = {}
    words: dict[str, str] = {}
    for group in shown:
        for fact in group["facts"]:
            strength[fact["name"]] = max(strength.get(fact["name"], 0.0), fact["moved"])
            words[fact["name"]] = fact["words"]
    kept = sorted(strength, key=lambda name: -strength[name])[:MOST_FACTS]
    figure = look.blank(height=110 + (12 + 14 * len(shown)) * len(kept), barmode="group")
    for number, group in enumerate(shown):
        moved = {fact["name"]: fact for fact in group["facts"]}
        name = look.plain(names.get(group["group"], group["group"]))
        figure.add_bar(
            x=[moved[fact]["moved"] if fact in moved else 0.0 for fact in kept],
            y=list(range(len(kept))),
            orientation="h",
            name=f"{name} ({group['explained']})",
            marker={"color": look.SERIES[number]},
            hovertext=[_fact_words(name, words[fact], moved.get(fact)) for fact in kept],
            hoverinfo="text",
        )
    figure.update_yaxes(
        tickvals=list(range(len(kept))),
        ticktext=[look.plain(words[fact], 48) for fact in kept],
        autorange="reversed",
        showgrid=False,
    )
    figure.update_xaxes(title="moved a score by, on average, up or down", rangemode="tozero")
    figure.update_layout(showlegend=len(shown) > 1)
    return figure


def score_spread(groups: Sequence[Group], threshold: float) -> go.Figure:
    """Draw the spread of the actors' scores of each group: 5, 25, 50, 75 and 95 %."""
    figure = look.blank(height=80 + 30 * len(groups), showlegend=False)
    rows = list(range(len(groups)))
    spread = [group["quantiles"] for group in groups]
    figure.add_trace(
        go.Box(
            y=rows,
            lowerfence=[one[0] for one in spread],
            q1=[one[1] for one in spread],
            median=[one[2] for one in spread],
            q3=[one[3] for one in spread],
            upperfence=[one[4] for one in spread],
            orientation="h",
            fillcolor="rgba(43,108,143,0.35)",
            line={"color": look.SERIES[0], "width": 1.5},
        )
    )
    line = {"color": look.INK, "width": 1, "dash": "dot"}
    figure.add_vline(x=threshold, line=line)
    _name_rows(figure, groups, [f"{group['actors']:,}" for group in groups])
    figure.update_xaxes(title="score of an actor (middle half, 5 to 95 %)", range=[-0.02, 1.02])
    return figure


def rates(groups: Sequence[Group], rate: str) -> go.Figure:
    """Draw one of `RATES` for each group with its interval, and everybody's as a line."""
    known = [group for group in groups if group[rate] is not None]
    figure = look.blank(height=80 + 30 * len(known), showlegend=False)
    found = [group[rate] for group in known]
    counts = [_units(group, rate) for group in known]
    figure.add_scatter(
        x=[one["value"] for one in found],
        y=list(range(len(known))),
        error_x={
            "array": [one["high"] - one["value"] for one in found],
            "arrayminus": [one["value"] - one["low"] for one in found],
            "thickness": 1.5,
            "width": 4,
            "color": look.INK,
        },
        mode="markers",
        marker={"size": 10, "color": [look.RISK, *[look.SERIES[0]] * (len(known) - 1)]},
        hovertext=[
            f"{look.plain(group['group'])}: {percent(one['value'], 1)} of {count:,} "
            f"({100 * one['low']:.1f} to {100 * one['high']:.1f})"
            for group, one, count in zip(known, found, counts, strict=True)
        ],
        hoverinfo="text",
        cliponaxis=False,
    )
    if known:
        everybody = {"color": look.RISK, "width": 1, "dash": "dot"}
        figure.add_vline(x=found[0]["value"], line=everybody)
    _name_rows(figure, known, [f"{count:,}" for count in counts])
    figure.update_xaxes(title=f"{RATES[rate]}, with 95 % interval", tickformat=".0%")
    figure.update_xaxes(rangemode="tozero")
    return figure


def _units(group: Group, rate: str) -> int:
    of = {"flagged": group["actors"], "missed": group["abuse"]}
    return int(of.get(rate, group["labelled"] - group["abuse"]))


def _name_rows(figure: go.Figure, groups: Sequence[Group], counts: Sequence[str]) -> None:
    labels = [
        f"{look.plain(group['group'], 24)} ({count})"
        for group, count in zip(groups, counts, strict=True)
    ]
    figure.update_yaxes(
        tickvals=list(range(len(groups))), ticktext=labels, autorange="reversed", showgrid=False
    )


def _fact_words(group: str, words: str, fact: Mapping[str, Any] | None) -> str:
    if fact is None:
        return f"{group}: {look.plain(words)}: not seen"
    return (
        f"<b>{group}</b>: {look.plain(words)}<br>moved a score by {fact['moved']:.4f} on average, "
        f"{fact['share']:.0%} of all that moved<br>"
        f"with its direction {look.signed(fact['direction'])}, seen in {fact['seen_in']} cases"
    )
