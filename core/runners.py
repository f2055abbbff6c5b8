"""What each kind of job does, and how it says how far it is.

Whatever a job needs is imported when it begins: a page that only starts a worker need not wait.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from core.errors import Cancelled
from core.store import jobs
from core.store.home import Home
from core.store.jobs import Job

TOLD: Final = 0.3  # seconds between two reports of progress
SETTINGS: Final = ("seed", "epochs", "backbone", "method", "adversarial")  # a page may set these


class Reporter:
    """Tells the job's row how far it is; raises `Cancelled` once nobody wants the rest."""

    def __init__(self, home: Home, job: Job) -> None:
        self.home = home
        self.job = job
        self.curve = list(job.curve)  # of the worker before, where that was killed
        self.told = 0.0

    def progress(self, share: float, message: str) -> None:
        """Report the share done, at most every `TOLD` seconds."""
        if time.monotonic() - self.told >= TOLD:
            self._tell(progress=min(max(share, 0.0), 1.0), message=message)

    def point(self, point: dict[str, Any]) -> None:
        """Report a point of a training curve; those without a loss only move the progress."""
        if "loss" in point:
            again = (point["phase"], point.get("epoch"))
            self.curve = [p for p in self.curve if (p["phase"], p.get("epoch")) != again]
            self.curve.append(point)
            self._tell(progress=point["progress"], message=point["phase"], curve=self.curve)
        else:
            self.progress(point["progress"], point["phase"])

    def _tell(self, **values: Any) -> None:
        self.told = time.monotonic()
        with self.home.engine.begin() as con:
            wanted = jobs.heartbeat(con, self.job.id, self.job.worker, **values)
        if not wanted:
            raise Cancelled


def explain_later(home: Home, model_id: str, dataset_id: str, analyst: str) -> None:
    """Ask for the reasons of a queue in a job of its own: meanwhile its cases can be decided."""
    with home.engine.begin() as con:
        jobs.enqueue(con, "explain", {"model": model_id, "dataset": dataset_id}, analyst)


def _demo(home: Home, job: Job, reporter: Reporter) -> dict[str, Any]:
    from core.demo import load_demonstration

    found = load_demonstration(home, reporter.progress)
    explain_later(home, found["model"], found["dataset"], job.analyst)
    return found


def _import(home: Home, job: Job, reporter: Reporter) -> dict[str, Any]:
    from core.logs.importing import import_log
    from core.logs.mapping import Mapping

    given = job.arguments.get("mapping")
    dataset = import_log(
        home,
        Path(job.arguments["path"]),
        mapping=None if given is None else Mapping.model_validate(given),
        name=job.arguments.get("name"),
        into=job.arguments.get("into"),
        progress=reporter.progress,
    )
    return {"dataset": dataset.id}


def _train(home: Home, job: Job, reporter: Reporter) -> dict[str, Any]:
    reporter.progress(0.0, "reading the log")
    from core.govern.config import TrainConfig
    from core.govern.training import train

    model = train(
        home,
        job.arguments["dataset"],
        parent_id=job.arguments.get("parent"),
        config=TrainConfig.of(
            **{name: job.arguments[name] for name in SETTINGS if name in job.arguments}
        ),
        analyst=job.analyst,
        told=reporter.point,
    )
    return {"model": model.id, "metrics": model.metrics}


def _tune(home: Home, job: Job, reporter: Reporter) -> dict[str, Any]:
    reporter.progress(0.0, "reading the log")
    from core.govern.search import tune

    asked = {name: value for name, value in job.arguments.items() if name != "dataset"}
    found = tune(home, job.arguments["dataset"], analyst=job.analyst, told=reporter.point, **asked)
    return {"search": found.search, "model": found.model.id, "metrics": found.model.metrics}


def _score(home: Home, job: Job, reporter: Reporter) -> dict[str, Any]:
    reporter.progress(0.0, "loading the model")
    from core.scoring.engine import Scorer
    from core.scoring.runs import score_dataset
    from core.store import models

    model_id = job.arguments["model"]
    with home.engine.connect() as con:
        models.get(con, model_id)
    scorer = Scorer.load(home.model_dir(model_id))
    dataset_id = job.arguments["dataset"]
    run = score_dataset(home, scorer, dataset_id, progress=reporter.progress)
    explain_later(home, model_id, dataset_id, job.analyst)
    return {"run": run.id, "dataset": run.dataset_id, "sequences": run.sequences}


def _robustness(home: Home, job: Job, reporter: Reporter) -> dict[str, Any]:
    reporter.progress(0.0, "loading the model")
    from core.govern.robustness import measure_robustness

    model_id, dataset_id = job.arguments["model"], job.arguments["dataset"]
    report = measure_robustness(home, model_id, dataset_id, progress=reporter.progress)
    return {"model": model_id, "dataset": dataset_id, "weakest": report["weakest"]}


def _explain(home: Home, job: Job, reporter: Reporter) -> dict[str, Any]:
    reporter.progress(0.0, "loading the model")
    from core.explain.cohort import explain_cohort
    from core.explain.explaining import explain_queue
    from core.scoring.engine import Scorer

    asked = job.arguments
    dataset_id, by = asked["dataset"], asked.get("by")
    scorer = Scorer.load(home.model_dir(asked["model"]))
    if by is None:  # the first of the queue, so that they open at once
        with _a_core_to_spare():
            ended = explain_queue(
                home,
                scorer,
                dataset_id,
                progress=reporter.progress,
                others_wait=lambda: _others(home),
            )
        if not ended:  # the rest comes after what somebody waits for
            explain_later(home, asked["model"], dataset_id, job.analyst)
        return {"dataset": dataset_id}
    found = explain_cohort(home, scorer, dataset_id, by, progress=reporter.progress)
    return {"dataset": dataset_id, "cases": sum(group["cases"] for group in found["groups"])}


@contextmanager
def _a_core_to_spare() -> Iterator[None]:
    """Use a core less: analysts decide on the first cases while the others are explained."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads - 1))
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _others(home: Home) -> bool:
    """Say whether jobs wait that are more urgent than explaining a queue."""
    with home.engine.connect() as con:
        waiting = jobs.unfinished(con).query("status == 'queued'")
    return any(
        kind != "explain" or "by" in asked
        for kind, asked in zip(waiting["kind"], waiting["arguments"], strict=True)
    )


def _faithfulness(home: Home, job: Job, reporter: Reporter) -> dict[str, Any]:
    reporter.progress(0.0, "loading the model")
    from core.explain.faithfulness import measure_faithfulness
    from core.scoring.engine import Scorer

    asked = job.arguments
    scorer = Scorer.load(home.model_dir(asked["model"]))
    return measure_faithfulness(
        home, scorer, asked["dataset"], cases=asked["cases"], progress=reporter.progress
    )


RUNNERS: Final[dict[str, Callable[[Home, Job, Reporter], dict[str, Any]]]] = {
    "demo": _demo,
    "import": _import,
    "train": _train,
    "tune": _tune,
    "score": _score,
    "robustness": _robustness,
    "explain": _explain,
    "faithfulness": _faithfulness,
}
