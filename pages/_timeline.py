"""The timeline of a case: what was done, what each event did to the score, and why."""

from typing import Any

import pandas as pd
import streamlit as st

from core.charts import attribution
from core.charts.look import plain, signed
from core.charts.timeline import timeline
from core.schema import Column
from core.wording import duration
from pages._common import CHART
from pages._words import text
from pages._working import PENDING, Work

ABUSE = ("towards abuse", "towards normal")
UNUSUALNESS = ("towards unusual", "towards usual")
MOST_TOKENS = 7  # of one event, before the rest is joined
NEAR = 0.005  # a difference of scores nobody asks about
Explanation = dict[str, Any]  # as `Explanation.to_dict` makes it
Prefixes = dict[str, Any]  # as `PrefixScores.to_dict` makes it; empty as long as there are none


def draw_timeline(events: pd.DataFrame, work: Work, *, by_time: bool, unusualness: bool) -> None:
    """Draw the events with what each did to the score; grey as long as nothing is known of that."""
    parts = [] if work.why is None else work.why["events"]
    figure = timeline(
        events,
        by_time=by_time,
        values=[part["value"] for part in parts] or work.estimate,
        details=[_strongest(part) for part in parts] or None,
        poles=UNUSUALNESS if unusualness else ABUSE,
        prefixes=work.prefixes,
    )
    if work.why is None:
        st.plotly_chart(figure, key="timeline-estimate", config=CHART, alt=_alt(events))
    else:
        said = _tipping(work.prefixes, len(events), work.why["score"]) if work.prefixes else ""
        _draw_selectable(figure, events, parts, said)


@st.fragment
def _draw_selectable(
    figure: Any, events: pd.DataFrame, parts: list[dict[str, Any]], said: str
) -> None:
    """Draw the timeline and, of the event that was clicked or chosen, its tokens."""
    sequence = str(events[Column.SEQUENCE].iloc[0])
    chart, chosen = f"timeline-{sequence}", f"event-{sequence}"

    def pin() -> None:
        points = st.session_state[chart].selection.points
        found = [point["customdata"] for point in points if "customdata" in point]
        if found:
            inside = found[0] if isinstance(found[0], list) else [found[0]]
            # Of a bundle of events the one that moved the score most.
            position = max(inside, key=lambda one: abs(parts[int(one)]["value"]))
            st.session_state[chosen] = int(position)

    st.plotly_chart(
        figure,
        key=chart,
        config=CHART,
        alt=_alt(events),
        on_select=pin,
        selection_mode="points",
    )
    st.caption(said or f"{PENDING} The score after each event comes in a moment.")
    names = event_names(events)
    position = st.selectbox(
        "Event",
        range(len(parts)),
        index=None,
        format_func=lambda one: f"{names[one]}, {signed(parts[one]['value'])}",
        key=chosen,
        placeholder="Click a mark, or choose an event, to see what in it counted",
        label_visibility="collapsed",
    )
    if position is not None:
        _draw_event(events.iloc[position], events, parts[position], names[position])


def _draw_event(
    event: "pd.Series[Any]", events: pd.DataFrame, part: dict[str, Any], name: str
) -> None:
    facts = []
    if pd.notna(event[Column.TIME]):
        facts.append(f"{event[Column.TIME]:%d %b %Y %H:%M:%S} UTC")
        if event[Column.POSITION] > 0:
            before = events[Column.TIME].iloc[int(event[Column.POSITION]) - 1]
            since = (event[Column.TIME] - before).total_seconds()
            facts.append(f"{duration(since)} after the one before")
    for column in (Column.ITEM, Column.AMOUNT):
        if pd.notna(event[column]):
            value = event[column]
            said = f"{value:,.2f}" if column == Column.AMOUNT else text(str(value))
            facts.append(f"{column} {said}")
    pushed = "up" if part["value"] > 0 else "down"
    st.markdown(
        f"**{text(name)}** · {' · '.join(facts)}  \n"
        f"It moved the score {pushed} by **{abs(part['value']):.4f}**, through:"
    )
    if part["tokens"]:
        tokens = part["tokens"]
        words, values = [t["words"] for t in tokens], [t["value"] for t in tokens]
        figure = attribution.by_token(words, values, most=MOST_TOKENS)
        st.plotly_chart(figure, key="event-tokens", config=CHART)
    else:
        st.caption("The model reads nothing of this event.")


def event_names(events: pd.DataFrame) -> list[str]:
    """Return what to call each event: its number and its action."""
    actions = events[Column.ACTION].fillna("no action").astype(str)
    return [f"{number}. {action}" for number, action in enumerate(actions, start=1)]


def _tipping(prefixes: Prefixes, events: int, score: float) -> str:
    tipping, last = prefixes["tipping"], prefixes["score"][-1]
    if tipping is None:
        said = "After no event does the score reach the threshold"
    elif tipping == events:
        which = "Only the last" if events > 1 else "Its only"
        said = f"{which} event brings the score to the threshold"
    else:
        said = f"The score first reaches the threshold at event {tipping} of {events}"
    if len(prefixes["events"]) < events:
        said += f" (looked at after {len(prefixes['events'])} of them)"
    if abs(last - score) > NEAR:
        said += (
            f". The line ends at {last:.3f}, not {score:.3f}: how the whole sequence compares with "
            "others is known only at the end, and left out"
        )
    return f"{said}."


def _alt(events: pd.DataFrame) -> str:
    return f"Timeline of {len(events)} events"


def _strongest(part: dict[str, Any]) -> str:
    tokens = sorted(part["tokens"], key=lambda token: -abs(token["value"]))[:4]
    return "<br>".join(f"{plain(t['words'], 70)} {signed(t['value'])}" for t in tokens)
