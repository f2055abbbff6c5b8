"""Events first, then the score, then why: what a case shows before the verdict."""

import pandas as pd
import streamlit as st

from core.charts.timeline import timeline
from core.errors import SpoorError
from core.logs.frames import read_events
from core.review import blind
from core.review.deciding import DECISIONS, covered_sequences
from core.schema import Column
from core.store.cases import Case
from core.store.models import Model
from pages._common import CHART, analyst, home, refusals
from pages._decision import KEYS, draw_onward
from pages._evidence import draw_events
from pages._sitting import LEFT, Sitting, sitting
from pages._words import score_word, text

ASKED = {
    "events": ("Your first impression", "From the events alone. The score comes next, then why."),
    "score": ("And with the score?", "Keep to it or change it. Why comes next, then the verdict."),
}


def draw_switch(dataset_id: str, on: bool) -> None:
    """Draw the switch that is in force for the whole queue."""
    key = f"blind-{dataset_id}"
    st.session_state[key] = on  # the store decides: somebody else may have switched it
    st.toggle(
        "Events first, then the score, then why",
        key=key,
        on_change=_on_switch,
        args=(dataset_id,),
        help="Each case asks for a first impression before it shows its score, and again before it "
        "says why. The order of the queue says nothing then. It holds for everybody.",
    )


def draw_staged(
    case: Case, stage: str, model: Model, threshold: float, theirs: pd.DataFrame, waiting: int
) -> None:
    """Draw a case as far as it may be seen before the explanation.

    `theirs` are the actor's sequences with their scores, in the order of their events.
    """
    main, side = st.columns([3.9, 1], gap="medium", wrap=False)
    with side, st.container(key="decision", border=True):
        _draw_panel(case, stage, waiting)
    with main:
        st.markdown(f"### {text(case.actor_id)}")
        amount = "none" if case.amount is None else f"{case.amount:,.2f}"
        shown = {"Actor's events": f"{case.events:,}", "Actor's amount": amount}
        if stage == "score":
            word = score_word(model).split()[0].capitalize()
            shown = {word: f"{case.score:.3f}", "Threshold": f"{threshold:.3f}", **shown}
        for place, (label, value) in zip(st.columns(4), shown.items(), strict=False):
            place.metric(label, value)
        _draw_sequences(case, theirs[theirs[Column.SEQUENCE].isin(covered_sequences(case))])


def _draw_panel(case: Case, stage: str, waiting: int) -> None:
    title, said = ASKED[stage]
    st.markdown(f"**{title}**")
    st.caption(f"{said} {waiting:,} waiting.")
    for decision, label in DECISIONS.items():
        st.button(
            label,
            key=f"impression-{stage}-{decision}-{case.id}",
            shortcut=KEYS[decision],
            on_click=_on_impression,
            args=(sitting(), case.id, stage, decision),
            width="stretch",
        )
    draw_onward(case, stage, "Skip")


def _draw_sequences(case: Case, theirs: pd.DataFrame) -> None:
    """Draw the events of a sequence: at first the earliest one, not the one that stands out."""
    if theirs.empty:
        st.warning(
            "This sequence is cut differently since the log has grown: score the data set again.",
            icon=":material/content_cut:",
        )
        return
    known = theirs[Column.SEQUENCE].tolist()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = known[0]
        if len(known) > 1:
            chosen = st.selectbox(
                "Sequence",
                known,
                format_func=lambda one: f"{known.index(one) + 1} of {len(known)}",
                key=f"blind-sequence-{case.id}",
                width=200,
            )
        with refusals():
            events = read_events(home(), case.dataset_id, sequences=[chosen])
        timed = bool(events[Column.TIME].notna().all())
        axis = st.segmented_control(
            "Axis", ["Real time", "In order"] if timed else ["In order"], required=True,
            default="Real time" if timed else "In order", key="axis", label_visibility="collapsed",
        )  # fmt: skip
    figure = timeline(events, by_time=axis == "Real time")
    st.plotly_chart(figure, key="timeline-blind", config=CHART, alt=f"{len(events)} events")
    draw_events(case.dataset_id, events, None)


def _on_switch(dataset_id: str) -> None:
    on = bool(st.session_state[f"blind-{dataset_id}"])
    try:
        blind.switch(home(), dataset_id, on, analyst())
    except SpoorError as error:
        st.toast(text(str(error)), icon=":material/block:")


def _on_impression(where: Sitting, case_id: int, stage: str, decision: str) -> None:
    """Keep what was pressed; that more is shown now says so, a note would cover the question."""
    if not where.shows(case_id, stage):
        return
    name = analyst(st.session_state.to_dict())
    try:
        blind.give_impression(home(), case_id, stage, decision, analyst=name, seconds=where.seconds)
    except SpoorError as error:
        st.toast(text(str(error)), icon=":material/block:")
    else:
        where.stage = LEFT  # until more of it is shown
