"""Models: which one decides, and why that one."""

from typing import Any

import pandas as pd
import streamlit as st

from core.review import policy
from core.store import datasets, labels, models
from core.store.models import Model
from pages._common import analyst, begin, enqueue, home, refusals
from pages._engine import draw_engine
from pages._jobs import show_running
from pages._metrics import draw_judgement, held_out, too_few
from pages._robustness import draw_robustness
from pages._words import ago, score_word, text

SHOWN = {"roc_auc": "ROC-AUC", "average_precision": "Average precision", "f1": "F1"}


def draw_model(model: Model, in_force: float) -> None:
    """Draw one model's facts and figures."""
    st.markdown(f"#### {text(model.id)}")
    state = f"active since {ago(model.activated_at)}" if model.status == "active" else model.status
    st.caption(
        f"{state} · made {ago(model.created_at)} · {score_word(model)} · "
        f"from {text(model.parent_id or 'scratch')} · threshold {in_force:.3f}"
    )
    test = model.metrics.get("test")
    if test is None:
        st.caption("Not measured: it has seen no labels, its score is unusualness.")
        return
    st.caption(held_out(test))
    if too_few(test):
        return
    for place, (name, label) in zip(st.columns(len(SHOWN)), SHOWN.items(), strict=True):
        metric = test.get(name)
        if metric is not None:
            place.metric(label, f"{metric['value']:.3f}")
            place.caption(f"{metric['low']:.3f} to {metric['high']:.3f}")


def draw_card(model: Model) -> None:
    """Draw the model's card as it lies beside its weights."""
    card = home().model_dir(model.id) / "README.md"
    if not card.exists():
        st.caption("This model has no card.")
        return
    body = card.read_text()
    st.markdown(body.split("---", 2)[2] if body.startswith("---") else body)


begin("Models")
show_running(("train", "score", "robustness"))
with home().engine.connect() as con:
    known = models.all_models(con)
    active = models.active(con)
    logs = datasets.all_datasets(con)
    judged = labels.judged(con)
    in_force = {name: models.threshold(con, name) for name in known["id"]}
if known.empty:
    st.info("No model yet. Import a log and train one on it, or load the demonstration from Home.")
    st.page_link("pages/train.py", label="Train", icon=":material/model_training:")
    st.stop()

others = [name for name in known["id"] if active is None or name != active.id]
left, right = st.columns(2, gap="medium", border=True)
with left:
    if active is None:
        st.markdown("#### No model is active")
        st.caption("Promote a candidate: from then on its scores decide what is flagged.")
    else:
        draw_model(active, in_force[active.id])
        once = known["activated_at"].dropna()
        is_back = (once < active.activated_at).any()  # there is one before
        if is_back and st.button("Roll back to the one before", icon=":material/undo:"):
            with refusals():
                policy.roll_back(home(), analyst())
            st.rerun()
chosen = active
with right:
    if not others:
        st.markdown("#### No other model")
        st.caption("A training makes a candidate; it appears here.")
    else:
        name = st.selectbox("Beside", others, key="model", bind="query-params")
        with home().engine.connect() as con:
            chosen = models.get(con, str(name))
        draw_model(chosen, in_force[chosen.id])
        if st.button("Promote", type="primary", icon=":material/verified:"):
            with refusals():
                policy.promote(home(), chosen.id, analyst())
            st.toast(f"{chosen.id} decides from now on.")
            st.rerun()

if chosen is not None:
    if "repeats" in chosen.metrics and not too_few(chosen.metrics["test"]):
        draw_judgement(chosen.id, chosen.metrics)
    if not logs.empty:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            which = st.selectbox("Model", known["id"].tolist(), width=320)
            log = st.selectbox("Log", logs["id"].tolist(), width=320)
            if st.button("Score", icon=":material/speed:"):
                enqueue("score", {"model": which, "dataset": log})
                st.rerun()
        draw_robustness(chosen, judged)
    with st.expander(f"Card of {chosen.id}"):
        draw_card(chosen)

st.subheader("All models")
table = known.assign(made=known["created_at"].map(ago), threshold=known["id"].map(in_force))
for metric, label in SHOWN.items():
    table[label] = [
        ((metrics.get("test") or {}).get(metric) or {}).get("value", pd.NA)
        for metrics in known["metrics"]
    ]
columns = ["id", "status", "kind", "threshold", *SHOWN.values(), "made", "dataset_id", "parent_id"]
names = {"id": "model", "dataset_id": "data set", "parent_id": "started from"}
three = st.column_config.NumberColumn(format="%.3f")
config: dict[str, Any] = {**names, **dict.fromkeys(["threshold", *SHOWN.values()], three)}
st.dataframe(table[columns], hide_index=True, column_config=config, placeholder="")
draw_engine()
