"""A search of settings: ask for one, and what its trials reached."""

from typing import Any

import pandas as pd
import streamlit as st

from core.charts.search import history, parallel
from core.seeds import LARGEST_SEED
from core.store import jobs, trainings
from core.store.jobs import Job
from pages._common import CHART, enqueue, home
from pages._outcome import ended_badly
from pages._trainings import differing
from pages._words import ago, text

SAMPLERS = {
    "tpe": "learn from the trials before (TPE)",
    "random": "at random",
    "grid": "from a grid",
}


def draw_search(dataset_id: str, *, possible: bool) -> None:
    """Offer a search and draw the trials of those there are."""
    with home().engine.connect() as con:
        names = trainings.searches(con, dataset_id)
    with st.expander("Search for better settings", expanded=bool(names), icon=":material/tune:"):
        _ask(dataset_id, possible)
        _draw_last(dataset_id)
        if names:
            chosen = str(st.selectbox("Search", names)) if len(names) > 1 else names[0]
            with home().engine.connect() as con:
                known = trainings.trials(con, chosen)
            _draw_trials(known.assign(value=known["metrics"].map(_value).astype(float)))


def _ask(dataset_id: str, possible: bool) -> None:
    st.caption(
        "Each trial trains with other settings and is judged on the validation part; those that "
        "fall behind are given up. A candidate is then trained with the best. Asked for again with "
        "the same sampler and seed, a search goes on where it was."
    )
    with st.form("search", border=False):
        how, many, seed = st.columns([3, 1, 1])
        sampler = how.selectbox("Choose settings", list(SAMPLERS), format_func=SAMPLERS.__getitem__)
        trials = many.number_input("Trials", 1, 1000, value=20)
        number = seed.number_input("Seed", 0, LARGEST_SEED, value=0, key="search-seed")
        if st.form_submit_button("Search", icon=":material/search:", disabled=not possible):
            asked = {"dataset": dataset_id, "trials": trials, "sampler": sampler, "seed": number}
            enqueue("tune", asked)
            st.rerun()
    if not possible:
        st.caption("A search needs verdicts or labels of both classes to judge settings by.")


def _draw_last(dataset_id: str) -> None:
    """Say how the newest search of this data set ended, and offer what it made."""
    with home().engine.connect() as con:
        past = jobs.newest(con, "tune")
        mine = past[past["arguments"].map(lambda one: one.get("dataset") == dataset_id)]
        newest: Job | None = None if mine.empty else jobs.get(con, int(mine.iloc[0]["id"]))
    if newest is None or newest.finished_at is None or ended_badly(newest):
        return
    made = str((newest.result or {})["model"])
    st.markdown(f"The last search, {ago(newest.finished_at)}, made **{text(made)}**.")
    if st.button("Compare and promote it", icon=":material/balance:", key="promote-found"):
        st.switch_page("pages/models.py", query_params={"model": made})


def _draw_trials(trials: pd.DataFrame) -> None:
    counts = trials["status"].value_counts()
    words = {"done": "finished", "pruned": "given up early", "running": "running"}
    said = [f"{counts[one]} {words.get(one, one)}" for one in counts.index]
    st.markdown(f"{len(trials)} trials: {', '.join(said)}.")
    done = trials[trials["status"].eq("done") & trials["value"].notna()]
    if done.empty:
        return
    settings = differing(trials["parameters"])
    best = done.loc[[done["value"].idxmax()]]
    chosen = settings.loc[best.index].iloc[0].items()
    said_settings = ", ".join(f"{name} {value:.4g}" for name, value in chosen)
    st.markdown(
        f"Best: trial {best['trial'].item()}, validation average precision "
        f"{best['value'].item():.3f}" + (f", with {text(said_settings)}." if said_settings else ".")
    )
    reached, lines = st.tabs(["What the trials reached", "Settings"])
    reached.plotly_chart(history(trials), key="history", config=CHART)
    judged = trials[trials["status"].isin(["done", "pruned"]) & trials["value"].notna()]
    if settings.shape[1]:
        figure = parallel(settings.loc[judged.index], judged["value"])
        lines.plotly_chart(figure, key="parallel", config=CHART)
        lines.caption("One line is one trial; drag along an axis to pick trials out.")


def _value(metrics: dict[str, Any]) -> float | None:
    return metrics.get("validation_ap")
