"""The threshold of a model: what it means in cases a day, before it counts."""

import pandas as pd
import streamlit as st

from core.charts.overview import score_histogram
from core.logs.frames import read_sequences
from core.review import policy
from core.scoring.cases import actor_scores
from core.store.runs import Run
from pages._common import CHART, analyst, home, refusals


@st.cache_data(max_entries=4, show_spinner=False)
def actor_view(run_id: str, dataset_id: str) -> tuple[pd.Series, float | None]:
    """Return the score of each actor and the days the log covers."""
    times = read_sequences(home(), dataset_id, columns=["first_ts", "last_ts"])
    scores = actor_scores(home(), run_id).reset_index(drop=True)  # held for long: without names
    return scores, policy.days_covered(times)


@st.fragment
def draw_the_line(run: Run, in_force: float, word: str) -> None:
    """Let the analyst move the threshold and see what it means before it counts."""
    with refusals():
        by_actor, days = actor_view(run.id, run.dataset_id)
    picture, control = st.columns([3, 2], gap="medium", vertical_alignment="center")
    with control:
        value = st.slider("Threshold", 0.0, 1.0, in_force, 0.005, key=f"line-{run.id}-{in_force}")
        load = policy.workload(by_actor, days, value)
        pace = "" if load.per_day is None else f", about **{load.per_day:,.1f} a day**"
        st.markdown(f"**{load.cases:,} cases** of {len(by_actor):,} actors{pace}")
        if st.button("Put in force", disabled=value == in_force, icon=":material/gavel:"):
            with refusals():
                policy.set_threshold(home(), run.model_id, value, analyst())
            st.rerun()
    figure = score_histogram(by_actor.tolist(), value, word=word)
    picture.plotly_chart(figure, key="histogram", config=CHART)
