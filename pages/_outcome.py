"""How a job ended, and the next step."""

from typing import Any

import streamlit as st

from core.store import datasets
from core.store.jobs import Job
from core.store.models import Model
from pages._common import enqueue, home, refusals
from pages._jobs import KINDS
from pages._quality import draw_quality, draw_rejected
from pages._words import text

LEFT = {
    "import": "Nothing was imported.",
    "train": "It made no model; its curve is kept.",
    "tune": "Its finished trials are kept: asked for again, the search goes on from there.",
}


def tried_before(job: Job | None, path: str) -> dict[str, Any]:
    """Return the mapping, as JSON, with which an import of this file failed or was stopped."""
    if job is None or job.status == "done" or job.arguments["path"] != path:
        return {}
    return dict(job.arguments.get("mapping") or {})


def ended_badly(job: Job) -> bool:
    """Say why a job failed or was stopped, if it was."""
    if job.status == "failed":
        st.error(f"**{KINDS[job.kind]} failed.** {text(job.message)}", icon=":material/block:")
    elif job.status == "cancelled":
        left = LEFT.get(job.kind, "Nothing is left of it.")
        st.warning(f"{KINDS[job.kind]} was stopped. {left}")
    return job.status != "done"


def draw_import_outcome(job: Job, active: Model | None) -> None:
    """Say what an import brought in and offer to score it or to train on it; else to try again."""
    if ended_badly(job):
        if "file" not in st.query_params and st.button(
            "Open its file again", icon=":material/undo:"
        ):
            st.query_params["file"] = job.arguments["path"]
            st.rerun()
        return
    result: dict[str, Any] = job.result or {}
    with refusals(), home().engine.connect() as con:
        log = datasets.get(con, result["dataset"])
    st.success(
        f"**{text(log.name)}** is in: {log.accepted:,} events of {log.actors:,} actors in "
        f"{log.sequences:,} sequences. Of {log.read:,} rows, {log.rejected:,} rejected, "
        f"{log.duplicate:,} duplicate.",
        icon=":material/check:",
    )
    with st.container(horizontal=True):
        if active is not None and st.button(
            "Score it with the active model", icon=":material/speed:"
        ):
            enqueue("score", {"model": active.id, "dataset": log.id})
            st.switch_page("pages/queue.py", query_params={"dataset": log.id})
        if st.button("Train a model on it", icon=":material/model_training:"):
            st.switch_page("pages/train.py", query_params={"dataset": log.id})
        if st.button("Look at it", icon=":material/database:"):
            st.switch_page("pages/data_sets.py", query_params={"dataset": log.id})
    draw_quality(log.quality, log.id)
    with refusals():
        draw_rejected(log.id)
