"""Queue: which case next."""

from collections.abc import Callable
from functools import partial

import pandas as pd
import streamlit as st

from core.charts.look import RISK
from core.review import exporting
from core.store import cases, explanations, models, queues
from pages._asking import draw_asking
from pages._benefit import draw_benefit
from pages._blind import draw_switch
from pages._common import begin, choose_dataset, deciding_run, home
from pages._jobs import show_running
from pages._sitting import open_case
from pages._threshold import draw_the_line
from pages._words import ago, most_like, score_word

WITH_REASONS = 60  # rows whose reasons are looked up
COLUMNS = {
    "score": st.column_config.ProgressColumn(
        "risk", min_value=0, max_value=1, format="%.3f", color=RISK, width=130
    ),
    "actor_id": st.column_config.TextColumn("actor", width=130),
    "likely": st.column_config.TextColumn("most like", width=150),
    "reasons": st.column_config.TextColumn("why", width=330),
    "amount": st.column_config.NumberColumn("amount", format="%,.2f", width=95),
    "events": st.column_config.NumberColumn("events", format="localized", width=62),
    "last_ts": st.column_config.DatetimeColumn(
        "last event (UTC)", format="D MMM YYYY HH:mm", width=130
    ),
    "queued": st.column_config.TextColumn("queued", width=85),
    "decision": st.column_config.TextColumn("decision", width=85),
    "analyst": st.column_config.TextColumn("by", width=85),
}
EXPORTS = {
    "CSV": (exporting.to_csv, "text/csv"),
    "Parquet": (exporting.to_parquet, "application/vnd.apache.parquet"),
}
TELLING = ("score", "likely", "reasons")  # what is not known before the first impression


def reasons_of(queue: pd.DataFrame) -> list[str]:
    """Return the two strongest facts of each case that is explained already."""
    found = []
    with home().engine.connect() as con:
        for case in queue.head(WITH_REASONS).to_dict("records"):
            key = (case["model_id"], case["dataset_id"], case["sequence_id"])
            known = (explanations.get(con, *key) or {}).get("reasons", [])
            towards = [reason["text"].split("; ")[0] for reason in known if reason["value"] > 0]
            found.append(" · ".join(towards[:2]))
    return found + [""] * (len(queue) - len(found))


def exported(read: Callable[[], pd.DataFrame], write: Callable[[pd.DataFrame], bytes]) -> bytes:
    """Return the content of a file."""
    return write(read())


begin("Queue")
show_running(("score", "demo"))
chooser, view, search = st.columns([2, 1.2, 2])
with chooser:
    dataset = choose_dataset(scored=True)
run = deciding_run(dataset)
with home().engine.connect() as con:
    model = models.get(con, run.model_id)
    threshold = models.threshold(con, model.id)
shown = view.segmented_control(
    "Show", ["Waiting", "Decided"], default="Waiting", required=True, key="show"
)
wanted = search.text_input(
    "Find an actor", key="actor", type="search", placeholder="part of the id"
)

with home().engine.connect() as con:
    queue = cases.queue(con, dataset.id, decided=shown == "Decided")
    events_first = queues.is_blind(con, dataset.id)
blind = events_first and shown == "Waiting"  # of what is decided nothing need be hidden
if wanted:
    queue = queue[queue["actor_id"].str.contains(wanted, case=False, regex=False)]
queue = queue.reset_index(drop=True)

if shown == "Waiting":
    draw_switch(dataset.id, events_first)
    draw_asking(dataset.id, blind=blind)
with st.expander(f"Threshold {threshold:.3f}, scores of {model.id} from {ago(run.created_at)}"):
    draw_the_line(run, threshold, score_word(model))

if queue.empty:
    st.success("No case waits here." if shown == "Waiting" else "Nothing is decided here yet.")
else:
    with st.container(horizontal=True, vertical_alignment="center"):
        if shown == "Waiting" and st.button(
            "Start reviewing", type="primary", icon=":material/arrow_forward:", shortcut="N"
        ):
            open_case(int(queue["id"][0]))
        asked = int(queue["source"].isin(cases.ASKED_FOR).sum())
        first = f"first the {asked:,} to learn from, then " if asked and shown == "Waiting" else ""
        order = "in an order of chance" if blind else f"{first}highest first"
        st.caption(f"{len(queue):,} cases, {order}. Click a row to open it.")
    likely = [most_like(*one) for one in queue[["likely_scheme", "likely_share"]].to_numpy()]
    table = queue.assign(
        queued=queue["created_at"].map(ago), reasons=reasons_of(queue), likely=likely
    )
    columns = ["score", "actor_id", *([] if shown == "Waiting" else ["decision", "analyst"])]
    columns += ["likely"] if any(likely) else []
    columns += ["reasons", "amount", "events", "last_ts", "queued"]
    if blind:  # the browser gets hidden columns too, and its menu shows them
        columns = [name for name in columns if name not in TELLING]
        table = table[columns]
    picked = st.dataframe(
        table,
        column_order=[name for name in columns if table[name].notna().any()],
        column_config=COLUMNS,
        hide_index=True,
        height=min(38 + 35 * len(table), 600),
        on_select="rerun",
        selection_mode="single-row",
        key=f"queue-{dataset.id}-{shown}",
    )
    if picked.selection.rows:
        open_case(int(queue["id"][picked.selection.rows[0]]))

draw_benefit(dataset.id)
with st.expander("Export"):
    reads = {"verdicts": partial(exporting.verdicts_of, home(), dataset.id)}
    if events_first:
        st.caption("Scores can be exported once events no longer come first.")
    else:
        reads["scores"] = partial(exporting.scores_of, home(), dataset.id, run.id)
    for name, read in reads.items():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(name.capitalize(), width=160)
            for kind, (write, mime) in EXPORTS.items():
                st.download_button(
                    kind,
                    # Once it is clicked: to write all scores at every look at the page is slow.
                    partial(exported, read, write),
                    f"{dataset.id}-{name}.{kind.lower()}",
                    mime,
                    key=f"{name}-{kind}",
                    on_click="ignore",
                )
