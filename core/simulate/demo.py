"""The demonstration log: an honest shop with all seven schemes planted.

It exists to show and to test Spoor, is bounded (at most 3,000 sessions and 60,000 events), and is
never evidence of quality.
"""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from core.schema import Column
from core.simulate.host import read_host
from core.simulate.injecting import plant
from core.simulate.schemes import SCHEMES
from core.simulate.shop import simulate_shop
from core.simulate.telling import Planting, harvest

SOURCE: Final = {  # canonical column: name in the log file
    Column.TIME: "event_time",
    Column.ACTOR: "user_id",
    Column.SESSION: "session_id",
    Column.ACTION: "event_type",
    Column.ITEM: "product_id",
    "category": "category",
    Column.AMOUNT: "price",
    "device": "device",
    "ip": "ip",
    "coupon": "coupon",
    "rating": "rating",
    "query": "query",
}
CAMOUFLAGE: Final = ((6, 0.0), (9, 0.3), (3, 0.6))  # (actors of each scheme, share)


def demonstration(seed: int = 7) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the log with column names of a source, and apart from it actor_id and scheme."""
    planting = Planting(read_host(simulate_shop(seed=seed)), np.random.default_rng([seed, 1]))
    for scheme in SCHEMES:
        for size, camouflage in CAMOUFLAGE:
            plant(planting, scheme, size=size, camouflage=camouflage)
    events, truth = harvest(planting)
    return events.rename(columns=SOURCE)[list(SOURCE.values())], truth


def write_demonstration(folder: Path) -> tuple[Path, Path]:
    """Write the log and, in a file of its own, the truth; return both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    log, truth = demonstration()
    log_path, truth_path = folder / "demonstration.csv", folder / "demonstration_truth.csv"
    log.to_csv(log_path, index=False)
    truth.to_csv(truth_path, index=False)
    return log_path, truth_path
