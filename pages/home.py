"""Home: what needs me now."""

import pandas as pd
import streamlit as st

from core.store import audit, cases, datasets, jobs, models
from pages._common import analyst, begin, enqueue, home
from pages._jobs import KINDS, show_running
from pages._sitting import open_case
from pages._words import ago, text

DONE = {
    "confirmed": "confirmed abuse in",
    "legitimate": "cleared",
    "unclear": "left unclear",
    "undo": "took back the verdict on",
    "impression": "had a look at",
    "undo impression": "took back an impression of",
    "blind": "put the events first in the queue of",
    "not blind": "put everything in sight at once in the queue of",
    "train": "trained",
    "promote": "promoted",
    "rollback": "rolled back to",
    "threshold": "set the threshold of",
}

begin("What needs you now")
with home().engine.connect() as con:
    waiting = cases.open_by_dataset(con)
    known = datasets.all_datasets(con)
    active = models.active(con)
    known_models = models.all_models(con)
    latest = jobs.newest(con, limit=10)
    done = audit.newest(con, limit=200)

running = show_running()

if known.empty:
    demo, own = st.columns(2, border=True)
    with demo:
        st.subheader("See it work")
        st.write(
            "Two weeks of an invented shop with seven kinds of abuse hidden in it, a trained "
            "model and a filled queue. Ready in about a minute."
        )
        if st.button(
            "Load the demonstration",
            type="primary",
            icon=":material/play_arrow:",
            disabled=running,
        ):
            enqueue("demo", {})
            st.rerun()
    with own:
        st.subheader("Start with your own log")
        st.write(
            "A file with one row per event: who did what, and when. CSV, Excel, "
            "JSON, Parquet or a web server's log, compressed or not. The columns are found for "
            "you, and you correct them."
        )
        st.page_link("pages/import_log.py", label="Import a log", icon=":material/upload_file:")

mine = done[(done["analyst"] == analyst()) & done["action"].isin(["confirmed", "legitimate"])]
today = int((pd.to_datetime(mine["at"]).dt.date == pd.Timestamp.now("UTC").date()).sum())
if not known.empty:
    queue, decided, logs, model = st.columns(4)
    queue.metric("Cases waiting", f"{sum(waiting.values()):,}", border=True)
    decided.metric("Your verdicts today", today, border=True)
    logs.metric("Sequences held", f"{known['sequences'].sum():,}", border=True)
    model.metric(
        "Active model since",
        "no model" if active is None else ago(active.activated_at),
        border=True,
    )

if waiting:
    largest = max(waiting, key=lambda dataset_id: waiting[dataset_id])
    with home().engine.connect() as con:
        first = cases.next_open(con, largest, skipping=[])
    if st.button("Continue reviewing", type="primary", icon=":material/arrow_forward:"):
        open_case(int(first or 0))
elif not known.empty and active is None and not running:
    st.info("No model decides yet: train one on your log, or promote a candidate.")
    st.page_link("pages/train.py", label="Train", icon=":material/model_training:")
elif not known.empty and not running:
    st.success("The queue is empty. Score a data set to fill it again.")

proposed = known_models[known_models["status"] == "candidate"]
if not proposed.empty and (active is None or proposed["created_at"].max() > active.created_at):
    label = f"{proposed.iloc[0]['id']} waits to be compared and promoted"
    st.page_link("pages/models.py", label=text(label), icon=":material/balance:")

failed = latest[latest["status"] == "failed"]
if not failed.empty:
    newest = failed.iloc[0]
    st.error(
        f"**{KINDS.get(newest['kind'], newest['kind'])} failed** {ago(newest['finished_at'])}: "
        f"{text(newest['message'])}"
    )
    if newest["kind"] == "import":
        again = {"job": str(newest["id"]), "file": newest["arguments"]["path"]}
        st.page_link(
            "pages/import_log.py", label="Open its file again", icon=":material/undo:",
            query_params=again,
        )  # fmt: skip

if not known.empty:
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Data sets")
        table = known[["name", "sequences", "actors", "created_at"]].assign(
            waiting=known["id"].map(waiting).fillna(0).astype(int),
            imported=known["created_at"].map(ago),
        )
        st.dataframe(
            table[["name", "waiting", "actors", "sequences", "imported"]],
            hide_index=True,
            column_config={
                "waiting": st.column_config.NumberColumn("cases waiting", format="localized"),
                "actors": st.column_config.NumberColumn(format="localized"),
                "sequences": st.column_config.NumberColumn(format="localized"),
            },
        )
    with right:
        st.subheader("Lately")
        for line in done.head(8).to_dict("records"):
            what = f"{DONE.get(line['action'], line['action'])} {text(line['subject'])}"
            st.caption(f"{ago(line['at'])} · **{text(line['analyst'])}** {what}")
