"""The only bridge between the pages and core: home, analyst, jobs and the resident model."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from core.charts.look import duration
from core.errors import SpoorError
from core.settings import Settings
from core.store import datasets, jobs
from core.store.datasets import Dataset
from core.store.home import Home, now, open_home
from core.store.jobs import Job

if TYPE_CHECKING:
    from core.scoring.engine import Scorer

KINDS = {
    "demo": "Loading the demonstration",
    "import": "Importing",
    "train": "Training",
    "score": "Scoring",
}
CHART: dict[str, Any] = {"displayModeBar": False}


def home() -> Home:
    """Return the workbench, opened once per process."""
    settings = Settings()
    return _open(str(settings.home), settings.database_url)


@st.cache_resource(show_spinner=False)
def _open(path: str, _database_url: str | None) -> Home:
    return open_home(path)


def analyst() -> str:
    """Return the name in the sidebar."""
    return str(st.session_state.get("analyst") or "analyst").strip() or "analyst"


def scorer(model_id: str) -> "Scorer":
    """Return the resident model, loaded once per process and shared by everybody."""
    return _load(str(home().model_dir(model_id)))


@st.cache_resource(max_entries=2, show_spinner="Loading the model (some seconds, once) ...")
def _load(model_dir: str) -> "Scorer":
    from core.scoring.engine import Scorer  # torch: too slow to import with the page

    return Scorer.load(model_dir)


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


def choose_dataset() -> Dataset:
    """Let the analyst pick a data set, the newest at first; without any, say how to get one."""
    with home().engine.connect() as con:
        known = datasets.all_datasets(con)
    if known.empty:
        st.info("No log yet. Import one, or load the demonstration from Home.")
        st.page_link("pages/import_log.py", label="Import a log", icon=":material/upload_file:")
        st.page_link("pages/home.py", label="Home", icon=":material/home:")
        st.stop()
    names = dict(zip(known["id"], known["name"], strict=True))
    chosen = st.selectbox(
        "Data set", list(names), format_func=names.__getitem__, key="dataset", bind="query-params"
    )
    with refusals(), home().engine.connect() as con:
        return datasets.get(con, str(chosen))


def job_in_url(kinds: Sequence[str]) -> Job | None:
    """Return the job the URL names, if it is of one of these kinds."""
    job_id = st.query_params.get("job", "")
    if not job_id.isdigit():
        return None
    with home().engine.connect() as con:
        rows = jobs.newest(con, limit=200)
        known = job_id in rows["id"].astype(str).tolist()
        job = jobs.get(con, int(job_id)) if known else None
    return job if job is not None and job.kind in kinds else None


def show_running(kinds: Sequence[str] = tuple(KINDS)) -> bool:
    """Show the jobs of these kinds that wait or run, live; say whether there are any."""
    with home().engine.connect() as con:
        frame = jobs.unfinished(con)
    ids = frame.loc[frame["kind"].isin(list(kinds)), "id"].tolist()
    if ids:
        st.fragment(_draw_jobs, run_every=1.0)(ids)
    return bool(ids)


def _draw_jobs(ids: list[int]) -> None:
    with home().engine.connect() as con:
        present = [jobs.get(con, job_id) for job_id in ids]
    if any(job.status not in ("queued", "running") for job in present):
        st.rerun()
    for job in present:
        bar, stop = st.columns([7, 1], vertical_alignment="center")
        bar.progress(job.progress, text=_progress_words(job))
        stop.button(
            "Stopping" if job.cancel_requested else "Stop",
            key=f"stop-{job.id}",
            on_click=_cancel,
            args=(job.id,),
            disabled=job.cancel_requested,
            width="stretch",
        )
        if job.curve:
            from core.charts.overview import curve

            st.plotly_chart(curve(job.curve), key=f"curve-{job.id}", config=CHART)


def _progress_words(job: Job) -> str:
    words = f"**{KINDS.get(job.kind, job.kind)}** {text(subject(job))}: {text(job.message)}"
    if job.started_at is not None and job.progress > 0.03:
        spent = (now() - job.started_at).total_seconds()
        words += f" · about {duration(spent * (1 - job.progress) / job.progress)} left"
    return words


def subject(job: Job) -> str:
    """Say what a job is about."""
    about = job.arguments.get("name") or job.arguments.get("dataset") or ""
    return str(about)


def _cancel(job_id: int) -> None:
    with refusals(), home().engine.begin() as con:
        jobs.cancel(con, job_id)


def ago(moment: datetime | pd.Timestamp | None) -> str:
    """Say how long ago a moment of the workbench's clock was."""
    if moment is None or pd.isna(moment):
        return "never"
    seconds = (now() - pd.Timestamp(moment).to_pydatetime()).total_seconds()
    return "just now" if seconds < 60 else f"{duration(seconds)} ago"


def text(words: str) -> str:
    """Return words from a log so that Markdown shows them as they are."""
    return re.sub(r"([\\`*_{}\[\]<>#$~|:])", r"\\\1", words)


def percent(part: float, whole: float) -> str:
    """Say a share with one decimal."""
    return f"{100 * part / whole:.1f} %" if whole else "0 %"
