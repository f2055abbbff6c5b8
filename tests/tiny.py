"""A labelled log and a training that take seconds."""

from pathlib import Path

import pandas as pd

from core.govern.config import TrainConfig
from core.logs.importing import import_log
from core.logs.labels import attach_labels
from core.model.encoder import Size
from core.model.finetune import FinetuneConfig
from core.model.pretrain import PretrainConfig
from core.store.home import Home, open_home

TINY = TrainConfig(
    size=Size(layers=1, width=16, heads=2),
    pretrain=PretrainConfig(epochs=1),
    finetune=FinetuneConfig(epochs=1),
)


def labelled_home(folder: Path, log: pd.DataFrame, name: str) -> Home:
    """Make a home in `folder` that holds a log of whose users every third is labelled abusive."""
    log.to_csv(folder / "log.csv", index=False)
    labels = pd.DataFrame({"user_id": log["user_id"].unique()})
    labels["abuse"] = [int(user[1:]) % 3 == 0 for user in labels["user_id"]]
    labels.to_csv(folder / "labels.csv", index=False)
    home = open_home(folder / "home")
    import_log(home, folder / "log.csv", name=name)
    attach_labels(home, name, folder / "labels.csv", key="user_id", label="abuse", on="actor")
    return home
