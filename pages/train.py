"""Train: can we do better."""

import streamlit as st

from core.charts.overview import curve, metric_comparison
from core.model.units import MIN_LABELS
from core.seeds import LARGEST_SEED
from core.store import jobs, models, runs
from core.store.jobs import Job
from pages._common import CHART, begin, choose_dataset, enqueue, home, refusals
from pages._jobs import show_running
from pages._known import draw_known
from pages._metrics import held_out, reports_of
from pages._outcome import ended_badly
from pages._search import draw_search
from pages._trainings import draw_trainings
from pages._words import ago, text

BACKBONES = ["behaviour-small", "behaviour-base"]


def draw_result(job: Job) -> None:
    """Draw what the last training brought, beside the active model on the same held-out units."""
    st.subheader(f"The last training, {ago(job.finished_at)}")
    if ended_badly(job):
        return
    result = job.result or {}
    reports = reports_of(str(result["model"]), result["metrics"])
    if job.curve:
        st.plotly_chart(curve(job.curve), key="last-curve", config=CHART)
    if reports:
        st.caption(held_out(result["metrics"]["test"]))
        st.plotly_chart(metric_comparison(reports), key="comparison", config=CHART)
    else:
        st.write(
            "Pre-trained only: its score is *unusualness*, how badly the model can guess what the "
            "sequence holds. Score the log with it, review, and train again on your verdicts."
        )
    draw_next_step(str(result["model"]), str(job.arguments["dataset"]))


def draw_next_step(model_id: str, dataset_id: str) -> None:
    """Offer to fill the queue, or where another model fills it, to compare and promote."""
    with home().engine.connect() as con:
        active = models.active(con)
        run = runs.deciding(con, dataset_id)
    taken = active is not None and run is not None and active.id == run.model_id != model_id
    with st.container(horizontal=True):
        if st.button(
            "Score this log with it",
            type="secondary" if taken else "primary",
            icon=":material/speed:",
            help="Its scores fill the queue once it is promoted." if taken else None,
        ):
            enqueue("score", {"model": model_id, "dataset": dataset_id})
            if not taken:
                st.switch_page("pages/queue.py", query_params={"dataset": dataset_id})
            st.rerun()
        if st.button(
            "Compare and promote",
            type="primary" if taken else "secondary",
            icon=":material/balance:",
        ):
            st.switch_page("pages/models.py", query_params={"model": model_id})


begin("Train")
dataset = choose_dataset()
with refusals():
    labelled, refused = draw_known(dataset)
with home().engine.connect() as con:
    known = models.all_models(con)
    past = jobs.newest(con, "train")

if refused is not None:
    st.warning(text(refused), icon=":material/block:")
elif not labelled:
    st.info(
        "No verdicts and no labels yet, so the model will only learn what this log looks like "
        f"(pre-training) and score how unusual a sequence is. {MIN_LABELS} verdicts of each class "
        "are enough to train on."
    )
with st.form("training", border=True):
    start, epochs, seed = st.columns([3, 1, 1])
    parents = known.loc[known["dataset_id"].eq(dataset.id) | known["status"].eq("active"), "id"]
    parent = start.selectbox(
        "Start from", parents.tolist() if labelled else [],
        index=0 if labelled and len(parents) else None,
        placeholder="scratch", disabled=not labelled,
        help="A model that knows this log already learns faster and from fewer verdicts.",
    )  # fmt: skip
    backbone = start.selectbox(
        "Back-bone", BACKBONES, accept_new_options=True,
        help="What reads the sequences when training starts from scratch. A larger one is for a "
        "GPU. text:DIRECTORY reads events as text with a Hugging Face checkpoint.",
    )  # fmt: skip
    rounds = epochs.number_input(
        "Rounds", 1, 100, value=None, placeholder="default",
        help="Times through the log, then through the labels. By default a few labels are gone "
        "through more often than many.",
    )  # fmt: skip
    number = seed.number_input("Seed", 0, LARGEST_SEED, value=0)
    adversarial = st.checkbox("Also learn from perturbed copies", disabled=not labelled)
    st.caption(
        "Takes about twice as long, and finds abuse that hides: on one real log 92 % of it instead "
        "of 36 % where half of the events were normal. Where nobody hides it is no better."
    )
    label = "Train a candidate" if labelled else "Pre-train on this log"
    sent = st.form_submit_button(
        label, type="primary", icon=":material/play_arrow:", disabled=refused is not None
    )
if sent:
    arguments = {"dataset": dataset.id, "parent": parent, "seed": number, "epochs": rounds}
    if backbone != BACKBONES[0]:
        arguments["backbone"] = backbone
    if adversarial:
        arguments["adversarial"] = True
    enqueue("train", {name: value for name, value in arguments.items() if value is not None})
    st.rerun()

running = show_running(("train", "tune", "score"))
ended = past[
    past["arguments"].map(lambda arguments: arguments.get("dataset") == dataset.id)
    & past["finished_at"].notna()
]
if not running and not ended.empty:
    with home().engine.connect() as con:
        newest = jobs.get(con, int(ended.iloc[0]["id"]))
    draw_result(newest)
draw_search(dataset.id, possible=labelled and refused is None)
draw_trainings(dataset.id)
