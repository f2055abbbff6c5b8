"""Long work as the pages show it: progress while it runs, how it ended."""

from collections.abc import Sequence
from contextlib import suppress

import streamlit as st

from core.charts.overview import curve
from core.errors import NotFound
from core.store import jobs
from core.store.home import now
from core.store.jobs import Job
from core.wording import duration
from pages._common import CHART, home, number_in_url, refusals
from pages._words import text

KINDS = {
    "demo": "Loading the demonstration",
    "import": "Importing",
    "train": "Training",
    "tune": "Searching settings",
    "score": "Scoring",
    "robustness": "Measuring robustness",
    "explain": "Explaining cases",
    "faithfulness": "Comparing explanations",
}


def job_in_url(kinds: Sequence[str]) -> Job | None:
    """Return the job the URL names, if it is of one of these kinds."""
    job_id = number_in_url("job")
    if job_id is None:
        return None
    with suppress(NotFound), home().engine.connect() as con:
        job = jobs.get(con, job_id)
        return job if job.kind in kinds else None
    return None


def show_running(kinds: Sequence[str] = tuple(KINDS)) -> bool:
    """Show the jobs of these kinds that wait or run, live; say whether there are any.

    Whoever looks wakes a worker if there is none: the machine was started anew meanwhile, or the
    job was asked for on the command line.
    """
    with home().engine.connect() as con:
        frame = jobs.unfinished(con)
    if jobs.neglected(frame):
        from core.worker import ensure_worker

        ensure_worker(home())
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
            st.plotly_chart(curve(job.curve), key=f"curve-{job.id}", config=CHART)


def _progress_words(job: Job) -> str:
    what = " ".join(filter(None, [f"**{KINDS.get(job.kind, job.kind)}**", text(_subject(job))]))
    words = f"{what}: {text(job.message)}"
    if job.started_at is not None and job.progress > 0.03:
        spent = (now() - job.started_at).total_seconds()
        words += f" · about {duration(spent * (1 - job.progress) / job.progress)} left"
    return words


def _subject(job: Job) -> str:
    """Say what a job is about."""
    about = job.arguments.get("name") or job.arguments.get("dataset") or ""
    return str(about)


def _cancel(job_id: int) -> None:
    with refusals(), home().engine.begin() as con:
        jobs.cancel(con, job_id)
