"""How robust a model's scores are, as the Models page shows it."""

import streamlit as st

from core.charts import robustness
from core.govern.wording import perturbation
from core.store.models import Model
from pages._common import CHART, enqueue
from pages._words import text


def draw_robustness(model: Model, logs: list[str]) -> None:
    """Draw the last report of a model, and the button that asks for a new one."""
    st.subheader("How easily its decisions change")
    report = model.metrics.get("robustness")
    if report is None:
        st.caption("Not measured yet: how scores move when behaviour changes a little or hides.")
    else:
        for sentence in report["summary"]:
            st.markdown(f"- {text(sentence)}")
        left, right = st.columns(2)
        if report["perturbations"]:
            named = {
                perturbation(name, report["harmless"]): found
                for name, found in report["perturbations"].items()
            }
            left.plotly_chart(robustness.flips(named), key="flips", config=CHART)
        if report["camouflage"]:
            chart = robustness.hiding(report["recall"], report["camouflage"])
            right.plotly_chart(chart, key="hiding", config=CHART)
        st.caption(
            f"On {report['positives']} units of abuse and {report['negatives']} legitimate ones "
            f"held out in {text(report['dataset'])}, at the threshold {report['threshold']:.3f}."
        )
    if not logs:
        st.caption("To measure it takes a log with labels or verdicts; there is none yet.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        log = st.selectbox("Labelled log", logs, key="robustness-log", width=320)
        if st.button("Measure robustness", icon=":material/shield:"):
            enqueue("robustness", {"model": model.id, "dataset": log})
            st.rerun()
