"""What every test may use: a home of its own, a small log, a model trained on it once."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from core.store.home import Home, open_home

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"
PAGES = sorted(file.stem for file in (ROOT / "pages").glob("[!_]*.py"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, the browser; skip what reads the real logs if there are none.

    At the end the other processes would have nothing left to do beside it.
    """
    items.sort(key=lambda item: "browser" not in item.keywords)
    if SHARED.is_dir():
        return
    absent = pytest.mark.skip(reason=f"the real logs are not at {SHARED}")
    for item in items:
        if "realdata" in item.keywords:
            item.add_marker(absent)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An empty workbench; whatever opens the default home opens this one."""
    monkeypatch.setenv("SPOOR_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SPOOR_DATABASE_URL", raising=False)
    return open_home()


@pytest.fixture
def no_worker(home: Home) -> Iterator[None]:
    """Hold the worker's lock, so that pages start no process of their own."""
    with FileLock(home.path / "worker.lock"):
        yield


def small_log(*, actors: int = 60, seed: int = 0) -> pd.DataFrame:
    """Make a log in which every third actor orders one item again and again, within seconds."""
    rng = np.random.default_rng(seed)
    rows = []
    for actor in range(actors):
        abusive = actor % 3 == 0
        time = pd.Timestamp("2026-01-01", tz="UTC") + pd.Timedelta(hours=int(rng.integers(200)))
        for _ in range(int(rng.integers(4, 9))):
            time += pd.Timedelta(
                seconds=int(rng.integers(1, 3) if abusive else rng.integers(40, 900))
            )
            action = "order" if abusive else str(rng.choice(["view", "view", "cart", "order"]))
            item = "i0" if abusive else f"i{rng.integers(12)}"
            rows.append((f"u{actor:03}", time, action, item, round(float(rng.lognormal(3)), 2)))
    return pd.DataFrame(
        rows, columns=["user_id", "event_time", "event_type", "product_id", "price"]
    )


def add_event(home: Home, dataset_id: str, actor_id: str) -> None:
    """Let a data set grow by one event, after all that the actor did."""
    from core.logs.frames import read_events
    from core.logs.importing import import_log

    last = read_events(home, dataset_id, actors=[actor_id])["ts"].max()
    row = (actor_id, last + pd.Timedelta(seconds=2), "order", "i0", 5.0)
    log = pd.DataFrame([row], columns=small_log(actors=1).columns)
    log.to_csv(home.path / "more.csv", index=False)
    import_log(home, home.path / "more.csv", into=dataset_id)


def as_split_by_time(home: Home, model_id: str) -> None:
    """Let a model say that it was trained with ``--split-by time``."""
    told = home.model_dir(model_id) / "training.json"
    told.write_text(json.dumps(json.loads(told.read_text()) | {"split_by": "time"}))


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a log, its labels, a pre-trained and a fine-tuned model, scores and a queue.

    Copied by `seeded_home`; never changed itself.
    """
    from core.govern.config import TrainConfig
    from core.govern.training import train
    from core.logs.importing import import_log
    from core.logs.labels import attach_labels
    from core.model.encoder import Size
    from core.model.finetune import FinetuneConfig
    from core.model.pretrain import PretrainConfig
    from core.scoring.engine import Scorer
    from core.scoring.runs import score_dataset
    from core.store import models

    folder = tmp_path_factory.mktemp("seeded")
    home = open_home(folder / "home")
    log = small_log()
    log.to_csv(folder / "log.csv", index=False)
    dataset = import_log(home, folder / "log.csv", name="small")
    config = TrainConfig(
        size=Size(layers=1, width=32, heads=2),
        pretrain=PretrainConfig(epochs=2),
        finetune=FinetuneConfig(epochs=8, learning_rate=2e-3),
    )
    train(home, dataset.id, config=config, model_id="pretrained")
    users = log["user_id"].drop_duplicates()
    truth = pd.DataFrame({"user_id": users, "abuse": [int(user[1:]) % 3 == 0 for user in users]})
    truth.to_csv(folder / "labels.csv", index=False)
    attach_labels(home, dataset.id, folder / "labels.csv", key="user_id", label="abuse", on="actor")
    model = train(home, dataset.id, config=config, model_id="finetuned")
    with home.engine.begin() as con:
        models.promote(con, model.id, "analyst")
    score_dataset(home, Scorer.load(home.model_dir(model.id)), dataset.id)
    home.engine.dispose()
    return folder


@pytest.fixture
def seeded_home(seeded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A copy of the seeded home, and the default home of this test."""
    shutil.copytree(seeded, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("SPOOR_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SPOOR_DATABASE_URL", raising=False)
    return open_home()
