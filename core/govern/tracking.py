"""Tracking: every training leaves its settings, curve and figures behind, however it ends.

They go into the store, which the Train page overlays, and as TensorBoard events into
``trainings/ID`` of the home: ``tensorboard --logdir .spoor/trainings`` shows all of them.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from optuna import TrialPruned
from sqlalchemy.exc import SQLAlchemyError

from core.errors import Cancelled, SpoorError
from core.model.batching import Report
from core.store import datasets, trainings
from core.store.home import Home, now
from core.store.models import Model
from core.store.trainings import Training

NOT_MEASURED = ("phase", "progress", "epoch")


class Tracker:
    """Hears the points of one training's curve and writes them down."""

    def __init__(self, home: Home, training: Training, events: "Events", told: Report) -> None:
        self.home = home
        self.id = training.id
        self._training = training
        self.curve: list[dict[str, Any]] = []
        self.metrics: dict[str, float] = {}
        self.model_id: str | None = None
        self._events = events
        self._told = told

    def point(self, point: dict[str, Any]) -> None:
        """Keep a point that has a loss, and pass every point on."""
        if "loss" in point:
            self.curve.append(point)
            self._events.point(point)
            with self.home.engine.begin() as con:
                trainings.draw(con, self.id, self.curve)
        self._told(point)

    def end(self, status: str, message: str = "") -> None:
        """Write down how the training ended."""
        metrics = self.best | self.metrics
        self._events.summary(self._training.parameters, metrics)
        with self.home.engine.begin() as con:
            trainings.finish(
                con, self.id, status, message=message, metrics=metrics, model_id=self.model_id
            )

    def made(self, model: Model) -> None:
        """Say which model the training ended in, with its figures on held-out units."""
        self.model_id = model.id
        test = model.metrics.get("test", {})
        values = {name: one["value"] for name, one in test.items() if _is_interval(one)}
        self.metrics |= {f"test_{name}": float(value) for name, value in values.items()}

    @property
    def best(self) -> dict[str, float]:
        """The best validation of the curve, which is what training keeps: highest, then surest."""
        judged = [point for point in self.curve if "validation_ap" in point]
        if not judged:
            return {}
        best = max(judged, key=lambda one: (one["validation_ap"], -one["validation_loss"]))
        return {name: float(best[name]) for name in ("validation_ap", "validation_loss")}


@contextmanager
def tracked(
    home: Home,
    dataset_id: str,
    parameters: dict[str, Any],
    *,
    analyst: str,
    told: Report,
    search: str | None = None,
    trial: int | None = None,
) -> Iterator[Tracker]:
    """Write down a training: that it began, its curve, and how it ended.

    Parameters
    ----------
    parameters
        The settings, as nested as they are.
    told
        Hears every point after it was written down; may raise to stop the training.

    Raises
    ------
    NotFound
        If there is no such data set.
    """
    with home.engine.connect() as con:
        datasets.get(con, dataset_id)
    began = now()
    training_id = f"{dataset_id}-{began:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}"
    training = Training(
        training_id, dataset_id, flat(parameters), analyst, began, search=search, trial=trial
    )
    with trainings.alive(home, training_id):
        with home.engine.begin() as con:
            trainings.start(con, training)
        with Events(home.training_dir(training_id)) as events:
            tracker = Tracker(home, training, events, told)
            try:
                yield tracker
            except BaseException as error:
                # On a full disk not even this can be written down: what ended it is said then.
                with suppress(SQLAlchemyError, OSError):
                    tracker.end(*_how(error))
                raise
            tracker.end("done")


class Events:
    """TensorBoard's event file of one training (https://www.tensorflow.org/tensorboard)."""

    def __init__(self, folder: Path) -> None:
        from tensorboardX import SummaryWriter  # a second that only a training should wait for

        # Flushed often: a killed process must have left its curve, and a running one is watched.
        self.writer = SummaryWriter(str(folder), flush_secs=1)

    def __enter__(self) -> "Events":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.writer.close()

    def point(self, point: dict[str, Any]) -> None:
        """Add what was measured in one epoch."""
        for name in point.keys() - set(NOT_MEASURED):
            self.writer.add_scalar(f"{point['phase']}/{name}", point[name], point["epoch"])

    def summary(self, parameters: dict[str, Any], metrics: dict[str, float]) -> None:
        """Add the settings beside what they led to, for TensorBoard's table of hyperparameters."""
        from tensorboardX.summary import hparams

        settings = {
            name: value if isinstance(value, bool | int | float | str) else str(value)
            for name, value in parameters.items()
        }
        results = {f"result/{name}": value for name, value in metrics.items()}
        for part in hparams(settings, results):
            self.writer.file_writer.add_summary(part)
        for name, value in results.items():
            self.writer.add_scalar(name, value)


def flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings on one level: ``{"finetune.epochs": 12}``."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def _how(error: BaseException) -> tuple[str, str]:
    """Return the status and the words for what ended a training early."""
    if isinstance(error, TrialPruned):
        return "pruned", "Behind the median of the trials before it."
    if isinstance(error, Cancelled | KeyboardInterrupt):
        return "cancelled", "Stopped by hand."
    if isinstance(error, SpoorError):
        return "failed", str(error)
    return "failed", f"Unexpected {type(error).__name__}: {error}"


def _is_interval(metric: Any) -> bool:
    return isinstance(metric, dict) and "value" in metric
