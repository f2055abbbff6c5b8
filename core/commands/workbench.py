"""The workbench itself: jobs, the worker, a check-up."""

import os
from typing import Annotated

import typer

from core.commands.base import HomeOption, JsonOption, answer, verb
from core.store import jobs, models
from core.store.home import open_home, records


@verb("jobs")
def list_jobs(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the jobs, newest first."""
    columns = ["id", "kind", "status", "progress", "message", "created_at"]
    with open_home(home).engine.connect() as con:
        frame = jobs.newest(con)[columns]
    answer({"jobs": records(frame)}, as_json)


@verb("worker")
def worker(
    idle: Annotated[
        float | None, typer.Option("--idle", help="Seconds without work before ending.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do the jobs that pages ask for."""
    from core.worker import NICENESS, run_worker

    os.nice(NICENESS)
    answer({"done": run_worker(open_home(home), idle=idle)}, as_json)


@verb("doctor")
def doctor(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Check installation, device, database and home."""
    import torch
    import transformers

    from core.scoring.device import best_device

    opened = open_home(home)
    with opened.engine.connect() as con:
        active = models.active(con)
    answer(
        {
            "home": str(opened.path),
            "database": opened.engine.dialect.name,
            "device": str(best_device()),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "active": None if active is None else active.id,
        },
        as_json,
    )
