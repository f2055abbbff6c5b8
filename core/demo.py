"""The demonstration: a log, the starter model that travels with Spoor, scores and a queue.

``python -m core.demo`` rebuilds the starter model from the demonstration log and its truth, seeded;
it is needed only when the tokens, or what judges them, change. The demonstration shows how Spoor
works. It is no evidence of how good Spoor is.
"""

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pandas as pd

from core.errors import NotFound
from core.logs.frames import read_sequences
from core.logs.importing import import_log
from core.logs.mapping import Mapping, Roles
from core.schema import Column
from core.simulate import write_demonstration
from core.store import datasets, models, runs
from core.store.datasets import Dataset
from core.store.home import Home, now, open_home, writing
from core.store.models import Model

STARTER: Final = Path(__file__).parent / "starter"
NAME: Final = "demonstration"
MAPPING: Final = Mapping(
    roles=Roles(
        actor="user_id",
        session="session_id",
        time="event_time",
        action="event_type",
        item="product_id",
        amount="price",
    ),
    columns={
        "category": "categorical",
        "device": "entity",
        "ip": "entity",
        "coupon": "categorical",
        "rating": "numeric",
        "query": "text",
    },
)
NOTE: Final = (
    "The starter model of Spoor. It was made by `python -m core.demo` from the seeded "
    "demonstration log with planted abuse and its truth. It exists to show the "
    "workbench and is no evidence of quality on real logs; it is rebuilt only when the tokens "
    "change."
)

EXPLAINED: Final = 10  # cases, so that nobody waits long for the first look

Progress = Callable[[float, str], None]


def load_demonstration(home: Home, progress: Progress = lambda share, text: None) -> dict[str, Any]:
    """Fill the home with the demonstration; what is there already is kept and reused."""
    from core.explain.explaining import explain_queue
    from core.scoring.engine import Scorer
    from core.scoring.runs import score_dataset

    progress(0.0, "making the demonstration log")
    dataset_id = _import(home).id
    model_id = install_starter(home)
    with home.engine.connect() as con:
        scored = runs.newest(con, dataset_id)
    if scored is not None:  # what was decided and promoted since must stay
        return {"dataset": dataset_id, "model": scored.model_id, "run": scored.id}
    progress(0.3, "loading the starter model")
    scorer = Scorer.load(home.model_dir(model_id))
    run = score_dataset(
        home, scorer, dataset_id, progress=lambda share, text: progress(0.3 + 0.3 * share, text)
    )
    explain_queue(
        home,
        scorer,
        dataset_id,
        first=EXPLAINED,
        progress=lambda share, text: progress(0.6 + 0.4 * share, text),
    )
    return {"dataset": dataset_id, "model": model_id, "run": run.id}


def _import(home: Home) -> Dataset:
    try:
        with home.engine.connect() as con:
            return datasets.get(con, NAME)
    except NotFound:
        with tempfile.TemporaryDirectory() as folder:
            log, _ = write_demonstration(Path(folder))
            return import_log(home, log, mapping=MAPPING, name=NAME)


def install_starter(home: Home) -> str:
    """Copy the starter model into the home; it decides if no other model does."""
    described = json.loads((STARTER / "training.json").read_text())
    metrics = json.loads((STARTER / "metrics.json").read_text())
    threshold = json.loads((STARTER / "config.json").read_text())["threshold"]
    model_id = described["model"]
    with home.engine.begin() as con:
        if model_id in set(models.all_models(con)["id"]):
            return str(model_id)
        with writing(home.model_dir(model_id)) as folder:
            shutil.copytree(STARTER, folder)
        kind, created = "probability", now()
        models.add(
            con,
            Model(model_id, "anomaly", kind, "candidate", None, None, threshold, metrics, created),
        )
        if models.active(con) is None:
            models.promote(con, model_id, "Spoor")
    return str(model_id)


def build_starter(target: Path = STARTER) -> None:
    """Train the starter model on the demonstration log and its truth, and put it in `target`."""
    from core.govern.config import TrainConfig
    from core.govern.training import train
    from core.logs.labels import attach_labels

    with tempfile.TemporaryDirectory() as folder:
        home = open_home(Path(folder) / "home")
        log, truth = write_demonstration(Path(folder))
        dataset = import_log(home, log, mapping=MAPPING, name=NAME)
        labelled = _labels(home, dataset.id, truth, Path(folder) / "labels.csv")
        attach_labels(
            home, dataset.id, labelled, key="actor_id", label="abuse", on="actor", scheme="scheme"
        )
        model = train(home, dataset.id, config=TrainConfig(), model_id="starter", note=NOTE)
        with writing(target) as ready:
            shutil.copytree(home.model_dir(model.id), ready)


def _labels(home: Home, dataset_id: str, truth: Path, target: Path) -> Path:
    """Write who is abusive, by which scheme, and who is not, for every actor of the log."""
    schemes = pd.read_csv(truth, dtype=str).set_index("actor_id")["scheme"]
    actors = read_sequences(home, dataset_id)[Column.ACTOR].drop_duplicates()
    known = {"abuse": actors.isin(schemes.index).astype(int), "scheme": actors.map(schemes)}
    frame = pd.DataFrame({"actor_id": actors, **known})
    frame.to_csv(target, index=False)
    return target


if __name__ == "__main__":
    build_starter()
