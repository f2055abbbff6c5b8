"""The only bridge between the pages and core: home, analyst, jobs and the resident model."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from core.errors import SpoorError
from core.settings import Settings
from core.store import datasets, jobs, runs
from core.store.datasets import Dataset
from core.store.home import Home, open_home
from core.store.runs import Run
from pages._words import text

if TYPE_CHECKING:
    from core.scoring.engine import Scorer

MOST_DIGITS = 18  # of a number in 64 bits
CHART: dict[str, Any] = {"displayModeBar": False}


def hand_over() -> None:
    """Make sure that app.py runs around every page.

    A server whose first visitor comes by a page's own address (a reload after a restart, a link)
    would run that file alone, because a folder named pages is also Streamlit's older way to write
    an app of many pages. app.py and every page call this first.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()


def begin(title: str | None = None) -> None:
    """Open a page: the first line of each."""
    hand_over()
    if title is not None:
        st.title(title)


def home() -> Home:
    """Return the workbench, opened once per process."""
    settings = Settings()
    return _open(str(settings.home), settings.database_url)


@st.cache_resource(show_spinner=False)
def _open(path: str, _database_url: str | None) -> Home:
    return open_home(path)


def analyst(state: Mapping[str, Any] | None = None) -> str:
    """Return the name in the sidebar, as the session or a copy of its state has it."""
    found = st.session_state if state is None else state
    return str(found.get("analyst") or "analyst").strip() or "analyst"


def scorer(model_id: str) -> "Scorer":
    """Return the resident model, loaded once per process and shared by everybody.

    Whoever asks it waits for the answer, so it goes before explanations and runs. It stops as soon
    as the analyst does something else: a verdict need not wait for an explanation.
    """
    loaded = _load(home().model_dir(model_id))
    from core.scoring.resident import Priority

    return replace(loaded, priority=Priority.CLICK, after_batch=_let_rerun)


def _let_rerun() -> None:
    """Give way to a click: Streamlit looks for one whenever the session's state is used."""
    st.session_state.get("analyst")


@st.cache_resource(max_entries=2, show_spinner="Loading the model (some seconds, once) ...")
def _load(model_dir: Path) -> "Scorer":
    from core.scoring.engine import Scorer  # torch: too slow to import with the page

    return Scorer.load(model_dir)


def events_held(dataset_id: str) -> int:
    """Return how many events a data set holds: what was kept of fewer is stale."""
    with home().engine.connect() as con:
        return datasets.get(con, dataset_id).accepted


def number_in_url(name: str) -> int | None:
    """Return the number the URL gives under a name, if it is one the store can hold."""
    given = st.query_params.get(name, "")
    number = given.isascii() and given.isdecimal() and len(given) <= MOST_DIGITS
    return int(given) if number else None


@contextmanager
def refusals() -> Iterator[None]:
    """Show what the core refuses and why, instead of what would have come next."""
    try:
        yield
    except SpoorError as error:
        st.error(text(str(error)), icon=":material/block:")
        st.stop()


def enqueue(kind: str, arguments: dict[str, Any]) -> int:
    """Ask for a piece of long work, wake a worker, and remember the job in the URL."""
    from core.worker import ensure_worker

    with home().engine.begin() as con:
        job_id = jobs.enqueue(con, kind, arguments, analyst())
    ensure_worker(home())
    st.query_params["job"] = str(job_id)
    return job_id


def choose_dataset(*, scored: bool = False) -> Dataset:
    """Let the analyst pick a data set, the newest at first; without any, say how to get one.

    With `scored`, the newest that has scores is first.
    """
    with home().engine.connect() as con:
        known = datasets.all_datasets(con)
        ready = runs.scored(con) if scored else set()
    if known.empty:
        st.info("No log yet. Import one, or load the demonstration from Home.")
        st.page_link("pages/import_log.py", label="Import a log", icon=":material/upload_file:")
        st.page_link("pages/home.py", label="Home", icon=":material/home:")
        st.stop()
    names = dict(zip(known["id"], known["name"], strict=True))
    # The URL decides, so that links and reloads show the same; without it, what was chosen last.
    wanted = st.query_params.get("dataset", st.session_state.get("dataset"))
    first = next((one for one in names if one in ready), next(iter(names)))
    st.session_state["dataset"] = wanted if wanted in names else first
    chosen = st.selectbox(
        "Data set",
        list(names),
        format_func=names.__getitem__,
        key="dataset",
        on_change=_dataset_to_url,
        persist_state="session",
        width=420,
    )
    _dataset_to_url()
    with refusals(), home().engine.connect() as con:
        return datasets.get(con, str(chosen))


def deciding_run(dataset: Dataset) -> Run:
    """Return the run whose scores fill the queue; without any, say how to get one."""
    with home().engine.connect() as con:
        run = runs.deciding(con, dataset.id)
    if run is None:
        st.info(
            "Nothing has scored this log yet: train a model on it, or score it with one you have."
        )
        st.page_link("pages/train.py", label="Train a model", icon=":material/model_training:")
        st.page_link("pages/models.py", label="Score with a model", icon=":material/balance:")
        st.stop()
    return run


def _dataset_to_url() -> None:
    st.query_params["dataset"] = str(st.session_state["dataset"])
