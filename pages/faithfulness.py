"""Which explanation to trust: does the score follow what each method calls important."""

from typing import Any

import pandas as pd
import streamlit as st

from core.charts import faithfulness as charts
from core.explain.naming import METHOD_WORDS
from core.store import jobs
from pages._common import CHART, begin, choose_dataset, deciding_run, enqueue, home
from pages._jobs import job_in_url, show_running
from pages._words import ago, text

KIND = "faithfulness"
COLUMNS: dict[str, Any] = {
    "method": "method",
    "deletion": st.column_config.NumberColumn(
        "score while hiding",
        format="%.3f",
        help="Mean score while the case is hidden part by part, what counts most first. "
        "Lower is better: the score falls as soon as what it rests on is gone.",
    ),
    "insertion": st.column_config.NumberColumn(
        "score while showing",
        format="%.3f",
        help="Mean score while the case is shown part by part, what counts most first. "
        "Higher is better: little is needed to bring the score back.",
    ),
    "gain": st.column_config.TextColumn(
        "better than chance by",
        help="Score while showing less score while hiding, beyond that of a random order, "
        "with its 95 % interval over the cases.",
    ),
    "rank": st.column_config.NumberColumn(
        "same order as SHAP values",
        format="%.2f",
        help="Rank correlation: 1 is the same order, 0 is no relation.",
    ),
    "top": st.column_config.NumberColumn(
        "shares its top 3 with SHAP values",
        format="%.0f %%",
        help="How many of the three parts that count most are the same.",
    ),
    "seconds": st.column_config.NumberColumn("seconds per case", format="%.2f"),
}


def report_of(dataset_id: str) -> tuple[dict[str, Any], pd.Timestamp] | None:
    """Return the comparison the URL names, else the last of the data set, with its time."""
    with home().engine.connect() as con:
        known = jobs.newest(con, KIND)
    done = known[known["status"] == "done"]
    mine = [job for _, job in done.iterrows() if job["arguments"]["dataset"] == dataset_id]
    named = job_in_url((KIND,))
    mine.sort(key=lambda job: named is None or job["id"] != named.id)  # the newest come first
    return (mine[0]["result"], mine[0]["finished_at"]) if mine else None


def draw_report(report: dict[str, Any], finished: pd.Timestamp) -> None:
    """Draw which to trust, the curves and the table."""
    st.markdown(f"**{text(report['summary'])}**")
    shown = [*report["methods"], report["random"]]
    left, right = st.columns(2, gap="medium")
    left.markdown("**Hiding what counts most**: the score should fall early")
    right.markdown("**Showing what counts most**: the score should rise early")
    for place, kind in ((left, "deletion"), (right, "insertion")):
        chart = charts.curves(shown, report["shares"], kind)
        place.plotly_chart(chart, key=kind, config=CHART)
    rows = [table_row(method) for method in shown]
    st.dataframe(pd.DataFrame(rows), column_config=COLUMNS, hide_index=True)
    st.caption(
        f"Model {text(report['model'])}, {report['cases']} flagged cases drawn at random, compared "
        f"{ago(finished)}. The parts of a case are its events and its profile. This says how well "
        "an explanation fits the model, not whether the model is right. Cases show SHAP values."
    )
    with st.expander("How far the methods agree with each other"):
        st.dataframe(agreement_table(report["agreement"]), width="content")
        st.caption("Rank correlation of the parts: 1 is the same order, 0 is no relation.")
    if partly := [METHOD_WORDS[name] for name in report.get("of_transformer", [])]:
        st.caption(
            f"{' and '.join(partly)} see the transformer alone, not the two counters whose "
            "judgement is in the score too: so they explain a part of it."
        )
    for name, why in report["missing"].items():
        st.caption(f"{METHOD_WORDS[name]}: {text(why)}")


def table_row(method: dict[str, Any]) -> dict[str, Any]:
    """Return one row of the table; a random order has no gain and agrees with nothing."""
    row = {
        "method": METHOD_WORDS[method["method"]],
        "deletion": method["deletion"],
        "insertion": method["insertion"],
    }
    if "gain" not in method:
        return row
    gain = method["gain"]
    return row | {
        "gain": f"{gain['value']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})",
        "rank": method["agreement"]["rank"],
        "top": 100 * method["agreement"]["top"],
        "seconds": method["seconds"],
    }


def agreement_table(agreement: dict[str, dict[str, dict[str, float]]]) -> pd.DataFrame:
    """Return the rank correlation of every two methods."""
    names = [name for name in METHOD_WORDS if name in agreement]
    found = [[agreement[one][other]["rank"] for other in names] for one in names]
    words = [METHOD_WORDS[name] for name in names]
    return pd.DataFrame(found, index=words, columns=words).round(2)


begin("Which explanation to trust")
running = show_running((KIND,))
dataset = choose_dataset(scored=True)
run = deciding_run(dataset)
st.caption(
    f"Several methods say which events moved a score. Here each explains the same flagged cases of "
    f"model {text(run.model_id)}; then events are hidden, and shown, in the order it gives them."
)
with st.container(horizontal=True, vertical_alignment="bottom"):
    cases = st.number_input("Flagged cases", 5, 50, 10, key="cases", bind="query-params", width=160)
    if st.button("Compare the explanations", icon=":material/play_arrow:", disabled=running):
        enqueue(KIND, {"model": run.model_id, "dataset": dataset.id, "cases": int(cases)})
        st.rerun()
asked = job_in_url((KIND,))
if asked is not None and asked.status == "failed" and asked.arguments["dataset"] == dataset.id:
    st.error(text(asked.message), icon=":material/block:")
found = report_of(dataset.id)
if found is not None:
    draw_report(*found)
elif not running:
    st.info("Not compared yet. Ten cases take about a minute; you may leave this page meanwhile.")
