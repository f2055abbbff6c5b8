"""Cohort: what does the model lean on over many cases, and does it treat groups alike."""

from typing import Any

import pandas as pd
import streamlit as st

from core.charts import cohort as charts
from core.explain.cohort import ALL, BY_VERDICT, MOST_CASES, cohort
from core.explain.groups import group_columns
from core.store import models
from core.store.runs import Run
from pages._common import CHART, begin, choose_dataset, deciding_run, enqueue, home, refusals
from pages._jobs import show_running
from pages._words import text

BY = {ALL: "all cases that wait", "decision": "what was decided", "scheme": "scheme"}
NAMES = {
    ALL: "all cases that wait",
    "confirmed": "confirmed abuse",
    "legitimate": "legitimate",
    "unclear": "unclear",
}
TOKENS = {
    "words": st.column_config.TextColumn("fact and value", width=420),
    "moved": st.column_config.NumberColumn("moved a score by, on average", format="%.4f"),
    "direction": st.column_config.NumberColumn("with its direction", format="%+.4f"),
    "seen_in": st.column_config.NumberColumn("seen in cases", format="localized"),
}


@st.cache_data(max_entries=8, show_spinner="Counting scores and errors by group ...", ttl=600)
def bias_of(
    model_id: str, dataset_id: str, column: str, run_id: str, threshold: float
) -> dict[str, Any]:
    """Return how the model treats the groups; a new run or threshold is a new question."""
    from core.govern.bias import bias

    return bias(home(), model_id, dataset_id, column)


def draw_leaning(model_id: str, dataset_id: str, columns: list[str]) -> None:
    """Draw which facts move the scores of which cases."""
    by = st.selectbox(
        "Cases, grouped by", [*BY, *columns], format_func=lambda one: BY.get(one, one), width=320
    )
    with refusals():
        found = cohort(home(), model_id, dataset_id, by)
    cases = sum(group["cases"] for group in found["groups"])
    explained = sum(group["explained"] for group in found["groups"])
    if not cases:
        what = "decided with a scheme" if by == "scheme" else "decided"
        st.info(f"No case is {what} yet." if by in BY_VERDICT else "No case waits.")
        return
    looked_at = f"the {cases} cases drawn at random" if cases == MOST_CASES else f"{cases} cases"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{explained} of {looked_at} are explained so far.", width="content")
        if explained < cases and st.button(
            f"Explain the other {cases - explained}", icon=":material/play_arrow:"
        ):
            enqueue("explain", {"model": model_id, "dataset": dataset_id, "by": by})
            st.rerun()
    if explained:
        st.plotly_chart(charts.leaning(found["groups"], NAMES), key="leaning", config=CHART)
        st.caption("This says what moved scores, not what makes actors act.")
        draw_tokens([group for group in found["groups"] if group["explained"]])


def draw_tokens(groups: list[dict[str, Any]]) -> None:
    """Draw the facts with their values, for one group."""
    with st.expander("Which values of these facts"):
        number = 0
        if len(groups) > 1:
            number = st.selectbox(
                "Group",
                range(len(groups)),
                format_func=lambda one: NAMES.get(groups[one]["group"], groups[one]["group"]),
                width=320,
            )
        table = pd.DataFrame(groups[number]["tokens"])
        st.dataframe(table, column_order=list(TOKENS), column_config=TOKENS, hide_index=True)


def draw_bias(run: Run, threshold: float, columns: list[str]) -> None:
    """Draw scores and error rates by group."""
    if not columns:
        st.info("This log has no column of categories to group actors by.")
        return
    column = st.selectbox("Actors, grouped by", columns, width=320, key="bias-column")
    with refusals():
        groups = bias_of(run.model_id, run.dataset_id, column, run.id, threshold)["groups"]
    left, right = st.columns(2, gap="medium")
    left.markdown("**Scores**")
    left.plotly_chart(charts.score_spread(groups, threshold), key="spread", config=CHART)
    right.markdown("**Flagged**")
    right.plotly_chart(charts.rates(groups, "flagged"), key="flagged", config=CHART)
    everybody = groups[0]
    if not everybody["labelled"]:
        st.caption(
            "Errors by group need labels or verdicts on actors the model was not trained on; "
            "there are none yet."
        )
        return
    for place, rate in zip(st.columns(2, gap="medium"), ("false_alarms", "missed"), strict=True):
        place.markdown("**False alarms**" if rate == "false_alarms" else "**Missed abuse**")
        place.plotly_chart(charts.rates(groups, rate), key=rate, config=CHART)
    st.caption(
        f"Errors are counted on {everybody['labelled']:,} held-out labels. Of small groups little "
        "is known: where an interval contains the dotted line, the group may be like everybody. "
        "A difference is a question, not an answer: groups may differ in what they do."
    )


begin("Cohort")
show_running(("explain", "score", "demo"))
dataset = choose_dataset(scored=True)
run = deciding_run(dataset)
with home().engine.connect() as con:
    in_force = models.threshold(con, run.model_id)
with refusals():
    categories = group_columns(home(), dataset.id)
st.subheader("What the model leans on")
st.caption(f"Model {text(run.model_id)}. How far each fact moves the score of a case.")
draw_leaning(run.model_id, dataset.id, categories)
st.subheader("Does it treat groups alike?")
draw_bias(run, in_force, categories)
