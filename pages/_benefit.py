"""What reviewing events first says about explanations: do they help, or only save time."""

from typing import Any

import pandas as pd
import streamlit as st

from pages._common import home, refusals

STAGES = {
    "events": "the events alone",
    "score": "the score too",
    "explanation": "the explanation too",
}


def draw_benefit(dataset_id: str) -> None:
    """Draw the report; it is worked out when somebody opens it."""
    report = st.expander(
        "Do explanations help?", icon=":material/balance:", key="benefit", on_change="rerun"
    )
    if not report.open:
        return
    with report, refusals():
        from core.review.benefit import benefit  # scipy.stats: too slow to import with the page

        with st.spinner("Counting decisions ..."):
            found = benefit(home(), dataset_id)
        st.markdown(f"**{found['conclusion']}**")
        st.dataframe(_table(found), hide_index=True)
        st.markdown("\n".join(f"- {_changed(change)}" for change in found["changes"]))
        st.caption(_caveats(found["taken_back"]))


def _table(found: dict[str, Any]) -> pd.DataFrame:
    shown = [(STAGES[one["stage"]], one) for one in found["stages"]]
    rows = [*shown, ("everything at once, as usual", found["ordinary"])]
    return pd.DataFrame(
        {
            "shown": name,
            "decisions": one["decisions"],
            "seconds it took (median)": _seconds(one["seconds"]),
            "right, where a label says what it was": _share(
                one["by_label"], one["by_label"]["right"]
            ),
            "as the final verdict, elsewhere": _share(
                one["by_verdict"], one["by_verdict"]["right"]
            ),
        }
        for name, one in rows
    )


def _changed(change: dict[str, Any]) -> str:
    between = f"From {STAGES[change['from']]} to {STAGES[change['to']]}"
    said = f"{between}, {_share(change, change['changed'])} decisions changed"
    known = change["by_label"]
    if known["cases"]:
        said += (
            f"; of {known['cases']:,} with a label {known['towards_right']} moved towards right "
            f"and {known['towards_wrong']} towards wrong"
        )
    return f"{said}."


def _share(share: dict[str, Any], number: int) -> str:
    """Say a count with its share and interval; `share` holds them and the cases."""
    if not share["cases"]:
        return "none"
    value, low, high = (f"{100 * share[name]:.0f}" for name in ("value", "low", "high"))
    return f"{number:,} of {share['cases']:,} ({value} %, {low} to {high})"


def _seconds(found: dict[str, Any]) -> str:
    if found["value"] is None:
        return "not timed"
    if found["low"] is None:
        return f"{found['value']:.0f} (one only)"
    return f"{found['value']:.0f} ({found['low']:.0f} to {found['high']:.0f})"


def _caveats(taken_back: int) -> str:
    said = (
        "In brackets are shares and 95 % intervals; seconds are those spent on each stage. Unclear "
        "is not right, but nearer to it than wrong. An analyst's own final verdict does not judge "
        "the decision that it is. Each stage is another look, so some of what is gained may "
        "come from looking longer; and which cases are reviewed in which way is not drawn by lot, "
        "so they may differ in more than that."
    )
    if taken_back:
        cases = "case is" if taken_back == 1 else "cases are"
        said += (
            f" {taken_back:,} {cases} left out: an impression was taken back after more was shown."
        )
    return said
