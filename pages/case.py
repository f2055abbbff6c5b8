"""Case: what happened here, and is it abuse."""

import time

import pandas as pd
import streamlit as st

from core.logs.frames import read_events, read_sequences
from core.review.blind import stage_of
from core.review.deciding import covered_sequences
from core.scoring.cases import read_scores
from core.store import cases, models, runs, verdicts
from core.store.cases import Case
from core.store.impressions import LAST
from pages._blind import draw_staged
from pages._common import analyst, begin, events_held, home, refusals
from pages._decision import draw_decision, draw_undo
from pages._evidence import (
    draw_events,
    draw_history,
    draw_reasons,
    draw_trust,
    draw_why,
)
from pages._scenarios import scenario_in_url
from pages._similar import draw_similar
from pages._sitting import case_to_show, sitting
from pages._timeline import draw_timeline
from pages._whatif import draw_whatif
from pages._words import score_word, text
from pages._working import draw_state, look


@st.cache_data(max_entries=8, show_spinner=False)
def sequences_of(run_id: str, dataset_id: str, actor_id: str, held: int) -> pd.DataFrame:
    """Return an actor's sequences with their scores; `held`: how many events the data set has."""
    theirs = read_sequences(home(), dataset_id, actors=[actor_id])
    scores = read_scores(home(), run_id, actors=[actor_id])
    return theirs.merge(scores, on=["sequence_id", "actor_id"])


def _to_whatif(case: Case) -> None:
    st.session_state[f"tabs-{case.id}"] = "What-if"


begin()
case = case_to_show()
if case is None:
    st.title("Case")
    st.success("No case waits. Score a data set to fill the queue.", icon=":material/done_all:")
    st.page_link("pages/data_sets.py", label="Data sets", icon=":material/database:")
    draw_undo()
    st.stop()

with home().engine.connect() as con:
    model = models.get(con, runs.get(con, case.run_id).model_id)
    threshold = models.threshold(con, model.id)
    every = verdicts.of_case(con, case.id)
    waiting = cases.open_by_dataset(con).get(case.dataset_id, 0)
    stage = stage_of(con, case, analyst())
with refusals():
    theirs = sequences_of(case.run_id, case.dataset_id, case.actor_id, events_held(case.dataset_id))
if stage not in (None, LAST):
    draw_staged(case, stage, model, threshold, theirs, waiting)
    st.stop()
scores = theirs.set_index("sequence_id")["score"]

main, side = st.columns([3.9, 1], gap="medium", wrap=False)
with side, st.container(key="decision", border=True):
    draw_decision(case, every[every["undone_at"].isna()], waiting)

with main:
    st.markdown(f"### {text(case.actor_id)}")
    facts = st.columns(4)
    word = score_word(model)
    facts[0].metric(word.split()[0].capitalize(), f"{case.score:.3f}", help=word.capitalize())
    facts[1].metric("Threshold", f"{threshold:.3f}")
    facts[2].metric("Actor's events", f"{case.events:,}")
    facts[3].metric("Actor's amount", "none" if case.amount is None else f"{case.amount:,.2f}")

    look_at = [one for one in covered_sequences(case) if one in scores]
    if len(look_at) < len(covered_sequences(case)):
        st.warning(
            "This sequence is cut differently since the log has grown: score the data set again.",
            icon=":material/content_cut:",
        )
    if not look_at:
        st.stop()
    scenario = scenario_in_url(case, look_at)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = look_at[0] if scenario is None else scenario.sequence_id
        if len(look_at) > 1:
            chosen = st.selectbox(
                "Sequence",
                look_at,
                index=look_at.index(chosen),
                format_func=lambda i: f"{look_at.index(i) + 1} of {len(look_at)}, {scores[i]:.3f}",
                key=f"sequence-{case.id}",
                width=200,
            )
        with refusals():
            events = read_events(home(), case.dataset_id, sequences=[chosen])
        timed = bool(events["ts"].notna().all())
        st.caption(f"Scored by {text(model.id)} in {text(case.dataset_id)}", width="stretch")
        st.button(
            "What-if", key=f"whatif-{case.id}", shortcut="W", on_click=_to_whatif, args=(case,)
        )
        axis = st.segmented_control(
            "Axis", ["Real time", "In order"] if timed else ["In order"], required=True,
            default="Real time" if timed else "In order", key="axis", label_visibility="collapsed",
        )  # fmt: skip
    draw_trust(theirs[theirs["sequence_id"] == chosen].iloc[0])
    how = {"by_time": axis == "Real time", "unusualness": model.kind == "unusualness"}
    work = look(model.id, case.dataset_id, chosen, threshold)
    why = work.why
    if why is None:
        sitting().since = time.monotonic()  # it is looked at from when its explanation is there
    draw_timeline(events, work, **how)
    if why is not None:
        draw_reasons(why)
    draw_state(work)

    tab_events, tab_why, tab_whatif, tab_similar, tab_history = st.tabs(
        ["Events", "Why", "What-if", "Similar", "History"],
        default="Events" if scenario is None else "What-if",
        key=f"tabs-{case.id}",
        on_change="rerun",
    )
    with tab_events:
        draw_events(case.dataset_id, events, why)
    with tab_why:
        if why is not None:
            draw_why(case.dataset_id, events, why)
    with tab_whatif:
        if tab_whatif.open:
            draw_whatif(case, model, events, float(scores[chosen]), threshold, why)
    with tab_similar:
        if tab_similar.open and why is not None:
            draw_similar(case, events, work)
    with tab_history:
        draw_history(every, theirs)
