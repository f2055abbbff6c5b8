"""A model's judgement as the pages show it."""

from typing import Any

import streamlit as st

from core.charts import judgement
from core.govern.wording import (
    METRICS,
    against,
    baseline_name,
    early,
    repeats,
    scheme_table,
    schemes,
)
from pages._common import CHART
from pages._words import text

FEW = 5  # held-out units of a class; below that a figure says nothing


def too_few(report: dict[str, Any]) -> bool:
    """Say whether a report rests on too few held-out units to judge a model by it."""
    return bool(min(report["positives"], report["negatives"]) < FEW)


def held_out(report: dict[str, Any]) -> str:
    """Say what a report rests on."""
    counts = f"{report['positives']} of abuse and {report['negatives']} legitimate"
    verdict = "too few to judge it by: review more" if too_few(report) else "intervals are 95 %"
    return f"Held out: {counts} ({verdict})."


def reports_of(model_id: str, metrics: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return reports by name: the model, the one active then, the best baseline, same rows."""
    if "test" not in metrics:
        return {}
    reports = {model_id: metrics["test"]}
    before = metrics.get("active")
    if before and "refused" not in before and before["model"] != model_id:
        reports[f"{before['model']} (active)"] = before
    rivals = {
        name: report for name, report in metrics["baselines"].items() if report["average_precision"]
    }
    if rivals:
        best = max(rivals, key=lambda name: rivals[name]["average_precision"]["value"])
        reports[f"{baseline_name(best)} (best baseline)"] = rivals[best]
    return reports


def draw_judgement(model_id: str, metrics: dict[str, Any]) -> None:
    """Draw a model beside every baseline on the same held-out units."""
    st.subheader(f"{text(model_id)} on its held-out units")
    named = ["Beside simpler methods", "Curves", "Calibration", "Kinds of abuse"]
    beside, curves, calibration, kinds = st.tabs(named)
    with beside:
        draw_baselines(model_id, metrics)
    with curves:
        reports = reports_of(model_id, metrics)
        left, right = st.columns(2)
        left.plotly_chart(judgement.precision_recall(reports), key="precision", config=CHART)
        right.plotly_chart(judgement.roc(reports), key="roc", config=CHART)
    with calibration:
        bins = metrics["test"].get("calibration")
        if bins:
            st.plotly_chart(judgement.calibration(bins), key="calibration", config=CHART)
            st.caption("On the dotted line a score of 0.7 means that 7 of 10 such cases are abuse.")
        else:
            st.caption("This score is no probability, so there is nothing to hold it against.")
    with kinds:
        draw_schemes(metrics)
    for sentence in (early(metrics.get("early_detection")), *repeats(metrics["repeats"])):
        if sentence:
            st.caption(sentence)


def draw_schemes(metrics: dict[str, Any]) -> None:
    """Draw how well a model says which kind of abuse it is."""
    for sentence in schemes(metrics):
        st.markdown(text(sentence))
    if found := scheme_table(metrics.get("schemes", {})):
        st.dataframe(found, hide_index=True)
        st.caption(
            "Found: the share at or above the threshold. With few held out, look at the interval."
        )
    elif "scheme_labels" not in metrics:
        st.caption(
            "Nobody has named a kind of abuse. Choose one with your verdicts, or attach labels "
            "with a column of kinds: the next training learns to tell them apart."
        )


def draw_baselines(model_id: str, metrics: dict[str, Any]) -> None:
    """Draw one metric of the model and of every baseline, and what the difference is worth."""
    named = {baseline_name(name): report for name, report in metrics["baselines"].items()}
    metric = st.segmented_control(
        "Metric", list(METRICS), format_func=METRICS.__getitem__, default="average_precision",
        key="metric", required=True,
    )  # fmt: skip
    reports = {model_id: metrics["test"], **named}
    chart = judgement.beside_baselines(reports, str(metric), METRICS[str(metric)])
    st.plotly_chart(chart, key="beside", config=CHART)
    differences = {n: found["average_precision"] for n, found in metrics["differences"].items()}
    if not differences:
        st.caption("No baseline could be fitted: training needs legitimate units.")
        return
    nearest = sorted(differences, key=lambda name: differences[name]["value"])
    st.markdown("\n".join(f"- {against(name, differences[name])}" for name in nearest[:3]))
    with st.expander("Average precision against every one, and what each is"):
        for name in nearest:
            note = metrics["baselines"][name].get("note")
            st.caption(against(name, differences[name]) + (f" ({text(note)})" if note else ""))
