"""Scoring past one machine: Ray actors that hold the model score partitions, an actor to a core.

Ray (Moritz et al., OSDI 2018) starts the actors wherever the cluster has room and says when one has
died; its partition is then done again by another. Actors read events and models from the home's
folder, which lies on a disk that all machines share, and hand back rows: only the process that asks
writes files and uses the database, so whatever is computed twice is in the result once.
"""

import logging
import os
import platform
import socket
import sys
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pandas as pd
import torch
from sqlalchemy import create_engine

from core.errors import BadInput, SpoorError
from core.scoring.engine import Scorer
from core.scoring.known import fingerprint
from core.scoring.partitions import Clock, Scoring
from core.settings import Settings
from core.store.home import Home

ATTEMPTS: Final = 3  # a partition over which so many workers died has something to do with it
PATIENCE: Final = 5.0  # seconds; Ray itself would try for minutes


class Worker:
    """An actor: a process somewhere in the cluster that holds the model."""

    def load(self, home: Path, model_id: str, device: str, **given: Any) -> None:
        """Load the model onto `device`; `given` is what else a `Scoring` takes.

        Raises
        ------
        BadInput
            If this machine sees another model there or none, or it does not fit the device.
        """
        files = Home(home, create_engine("sqlite://"))  # a worker has no use for the database
        folder = files.model_dir(model_id)
        if fingerprint(folder) != given["model"]:
            raise BadInput(
                f"{platform.node()} of the cluster does not see this model in {folder}: the home "
                "must lie on a disk that all machines share, at the same path on each."
            )
        self._scoring = Scoring(files, Scorer.load(folder, torch.device(device)), **given)

    def score(self, number: int) -> pd.DataFrame | BadInput:
        """Return a partition's rows, or what is wrong with its file."""
        try:
            part = self._scoring.read(number)
        except BadInput as error:
            return error
        return self._scoring.score(part)


def on_ray(
    scoring: Scoring, numbers: list[int], clock: Clock
) -> Iterator[tuple[int, pd.DataFrame | BadInput]]:
    """Score partitions on the Ray cluster that ``RAY_ADDRESS`` names, by default one started here.

    Raises
    ------
    BadInput
        If Ray is not installed, no cluster answers, or its machines cannot score this.
    """
    with _connected() as ray:
        crew = _Crew(ray, scoring)
        clock.progress(0.0, "waiting for workers of the cluster")
        crew.start(min(crew.room, len(numbers)))
        waiting, died = deque(numbers), Counter[int]()
        while waiting or crew.busy:
            crew.assign(waiting)
            number, found = crew.wait()
            if number is None:
                clock.restart()
                continue
            if found is None:
                died[number] += 1
                if died[number] < ATTEMPTS:
                    waiting.append(number)
                    continue
                found = BadInput(f"{ATTEMPTS} workers died over it, perhaps of its size.")
            yield number, found


class _Crew:
    """The workers of one run; whoever dies at work is replaced."""

    def __init__(self, ray: ModuleType, scoring: Scoring) -> None:
        self._ray = ray
        resources = ray.cluster_resources()
        cores, gpus = resources.get("CPU", 0.0), resources.get("GPU", 0.0)
        device = _device(gpus)
        self.room = max(1, int(cores))
        # To read and tokenise keeps several cores busy for each GPU, so they share it.
        share = min(1.0, gpus / self.room) if device == "cuda" else 0
        self._actor = ray.remote(Worker).options(num_cpus=1, num_gpus=share)
        self._given: dict[str, Any] = {
            "home": scoring.home.path,
            "model_id": scoring.scorer.model_id,
            "device": device,
            "dataset_id": scoring.dataset_id,
            "model": scoring.model,
            "known": ray.put(scoring.known),  # held once by each machine
        }
        self._idle: list[Any] = []
        self._asked: dict[Any, tuple[Any, int | None]] = {}  # by what answers; None: to load

    @property
    def busy(self) -> bool:
        """Whether a partition is at work."""
        return any(number is not None for _, number in self._asked.values())

    def start(self, workers: int) -> None:
        """Start workers; each is asked for partitions once it has loaded the model."""
        for _ in range(workers):
            worker = self._actor.remote()
            self._asked[worker.load.remote(**self._given)] = (worker, None)

    def assign(self, waiting: deque[int]) -> None:
        """Give partitions to those who have none."""
        while waiting and self._idle:
            worker, number = self._idle.pop(), waiting.popleft()
            self._asked[worker.score.remote(number)] = (worker, number)

    def wait(self) -> tuple[int | None, pd.DataFrame | BadInput | None]:
        """Return a partition with its rows, or None if its worker died; None for no partition."""
        if not self._asked:
            raise BadInput(
                "All workers of the cluster died while they loaded the model: see Ray's logs."
            )
        (answer,), _ = self._ray.wait(list(self._asked))
        worker, number = self._asked.pop(answer)
        try:
            found = self._ray.get(answer)
        except self._ray.exceptions.RayTaskError as error:
            raise _refusal(error, number) from error
        except self._ray.exceptions.RayError:  # the process, its machine or the answer is lost
            self._ray.kill(worker)
            self.start(0 if number is None else 1)
            return number, None
        self._idle.append(worker)
        return number, found


def _refusal(error: Any, number: int | None) -> Exception:
    """Return what to raise for an error raised by a worker."""
    if isinstance(error.cause, SpoorError):
        return error.cause
    if number is not None:
        return error  # type: ignore[no-any-return] # a mistake of ours
    reason = str(error).strip().splitlines()[-1]
    return BadInput(
        f"A worker of the cluster cannot start ({reason}): every machine needs this code, at the "
        "same path, and what requirements.txt and requirements-cluster.txt name."
    )


def _device(gpus: float) -> str:
    asked = Settings().device
    if asked not in (None, "cuda", "cpu"):
        raise BadInput(f"SPOOR_DEVICE={asked}: a cluster is given cuda (all its GPUs) or cpu.")
    if asked == "cuda" and not gpus:
        raise BadInput(f"SPOOR_DEVICE={asked}, but the cluster has no GPU. Accepted: cpu.")
    return "cuda" if gpus and asked != "cpu" else "cpu"


@contextmanager
def _connected() -> Iterator[ModuleType]:
    """Connect to the cluster, or start one on this machine, until the block ends."""
    try:
        import ray
    except ModuleNotFoundError as error:
        raise BadInput(
            "Scoring on a cluster needs Ray: pip install -r requirements-cluster.txt"
        ) from error
    address = os.environ.get("RAY_ADDRESS") or "local"
    _check_answers(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a local cluster would report itself
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise BadInput(
            f"There is no way into the cluster RAY_ADDRESS={address}: {error}"
        ) from error
    try:
        with redirect_stdout(sys.stderr):  # where Ray tells of deaths; answers stay by themselves
            yield ray
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return  # "local" and "auto" name no port
    try:
        socket.create_connection((host, int(port)), PATIENCE).close()
    except OSError as error:
        raise BadInput(
            f"No Ray cluster answers at RAY_ADDRESS={address} ({error}). Start one with "
            "`ray start --head`, or unset RAY_ADDRESS to start one on this machine."
        ) from error
