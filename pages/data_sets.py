"""Data sets: what do we hold."""

import streamlit as st

from core.charts.overview import actions_over_time, lengths
from core.logs.frames import read_sequences
from core.logs.labels import attach_labels
from core.logs.over_time import actions_over_time as count_actions
from core.logs.proposal import inspect_log
from core.store import datasets, labels, models
from core.store.datasets import Dataset
from core.store.home import remove
from pages._common import CHART, begin, choose_dataset, enqueue, home, refusals
from pages._jobs import show_running
from pages._quality import draw_quality, draw_rejected
from pages._uploads import keep_upload
from pages._words import text


def draw_pictures(dataset: Dataset) -> None:
    """Draw how long sequences are and what happens when."""
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Length of sequences**")
        counts = read_sequences(home(), dataset.id, columns=["events"])["events"]
        st.plotly_chart(lengths(counts.tolist()), config=CHART)
    with right:
        st.markdown("**Actions over time**")
        counted = count_actions(home(), dataset.id)
        if counted.empty:
            st.caption("The log has no time.")
        else:
            st.plotly_chart(actions_over_time(counted), config=CHART)


def draw_labels(dataset: Dataset) -> None:
    """Let the analyst attach what somebody else already knows."""
    with home().engine.connect() as con:
        present = labels.counts(con, dataset.id)
    if present:
        st.write(f"{present.get(True, 0):,} labels say abuse, {present.get(False, 0):,} say not.")
    # A new key empties it once its file is used up.
    used = st.session_state.setdefault("label_files_used", 0)
    uploaded = st.file_uploader("A file with an id and a label in each row", key=f"labels-{used}")
    if uploaded is None:
        return
    with refusals():
        path = keep_upload(uploaded)
        columns = inspect_log(path).columns["name"].tolist()
        places = st.columns(4)
        key = places[0].selectbox("Column of ids", columns)
        label = places[1].selectbox("Column of labels", columns, index=len(columns) - 1)
        split = places[2].selectbox("Column of splits", columns, index=None, placeholder="none")
        units = ["actor", "session", "sequence"]
        unit = places[3].selectbox("About", units, index=None, placeholder="whatever matches best")
        what, kind = st.columns(2)
        value = what.text_input("The value that means abuse", placeholder="1, true, yes ...")
        scheme = kind.selectbox(
            "Column of kinds of abuse", columns, index=None, placeholder="none",
            help="Fake orders, coupon abuse ...: from five of each on, a model tells them apart.",
        )  # fmt: skip
        if st.button("Attach", type="primary"):
            found = attach_labels(
                home(), dataset.id, path, key=key, label=label, on=unit, positive=value or None,
                split=split, scheme=scheme,
            )  # fmt: skip
            remove(path.parent)
            st.session_state["label_files_used"] = used + 1
            st.success(
                f"{found.attached:,} labels attached to {found.on}s, {found.unmatched:,} ids of "
                "the file are not in the log."
            )


begin("Data sets")
show_running(("import", "score"))
dataset = choose_dataset()
draw_quality(dataset.quality, dataset.id)
with refusals():
    draw_rejected(dataset.id)
    with home().engine.connect() as con:
        active = models.active(con)
    with st.container(horizontal=True):
        if active is not None and st.button("Score with the active model", icon=":material/speed:"):
            enqueue("score", {"model": active.id, "dataset": dataset.id})
            st.rerun()
        if st.button("Train a model on it", icon=":material/model_training:"):
            st.switch_page("pages/train.py", query_params={"dataset": dataset.id})
    draw_pictures(dataset)

with st.expander("Attach labels from elsewhere"):
    draw_labels(dataset)
with st.expander("How it was imported"):
    files = ", ".join(dataset.sources)
    st.caption(text(f"From {files}, {dataset.created_at:%d %b %Y %H:%M} UTC."))
    st.json(dataset.mapping, expanded=2)
with st.expander("Delete this data set"):
    st.write(
        "This takes its events, labels, scores, cases, verdicts and explanations with it, for "
        "good. Models trained on it stay."
    )
    typed = st.text_input(f"Type its name, {dataset.name}, to delete it", key="typed")
    if st.button("Delete for good", disabled=typed != dataset.name, icon=":material/delete:"):
        with refusals():
            datasets.delete_dataset(home(), dataset.id)
        st.toast(f"{dataset.name} is deleted.")
        st.switch_page("pages/data_sets.py")
