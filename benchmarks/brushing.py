"""Which orders of a flagged shop are brushing, by attribution: `shopee_orders`.

    python -m benchmarks.brushing
    python -m benchmarks.brushing --seed 1 --shops 20

The model learns from labels of shops alone, through the command line. Of each test shop that it
flags, the highest window is explained. Its brushing orders are known one by one, so it is asked how
many of the k orders attributed highest are among its k brushing orders: the mean over the windows
that hold both kinds. Beside it, two counters told what to count: orders of the same buyer in the
hour before, and in an hour around, which sees the future.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.learning import SHARED, load, run
from core.explain.explaining import read_each
from core.explain.shapley import attribute
from core.govern.log import read_log
from core.logs.frames import read_events
from core.model.encoder import POSITIVE
from core.schema import Column
from core.scoring.engine import Scorer
from core.store import models
from core.store.home import open_home

NAME, DATASET = "shopee_orders", "shopee-orders"
HOUR = pd.Timedelta(hours=1)

Values = npt.NDArray[np.floating]


def precision(values: Values, wanted: npt.NDArray[np.bool_]) -> float:
    """Return the share of the k highest values that are wanted; k is how many are wanted."""
    highest = np.argsort(-values, kind="stable")[: int(wanted.sum())]
    return float(wanted[highest].mean())


def in_hour(orders: pd.DataFrame, *, future: bool) -> Values:
    """Return for each order of a shop how many its buyer places in the hour up to or around it."""
    found = np.zeros(len(orders))
    for _, own in orders.groupby("userid").indices.items():
        at = orders[Column.TIME].to_numpy()[own]
        until = at + HOUR if future else at
        found[own] = np.searchsorted(at, until, "right") - np.searchsorted(at, at - HOUR)
    return found


def measure(folder: Path, seed: int, shops: int) -> None:
    """Train, explain and print precisions."""
    load(folder, NAME)
    trained = run(folder, "train", DATASET, "--seed", seed)["model"]
    home = open_home(folder)
    log, scorer = read_log(home, DATASET), Scorer.load(home.model_dir(trained))
    with home.engine.connect() as con:
        threshold = models.threshold(con, trained)
    assert log.bags is not None
    test = log.bags.of("test")
    batch = log.encode(scorer.encoder.tokenizer, test.rows)
    score = scorer.predict_proba(batch)[:, POSITIVE]
    orders = pd.read_csv(SHARED / NAME / "orders.csv.gz")["orderid"]
    brushing = orders.isin(pd.read_csv(SHARED / NAME / "brushing_orders.csv")["orderid"]).to_numpy()
    found: dict[str, list[float]] = {}
    for row in test.highest(score):
        if score[row] < threshold or len(found.get("attribution", [])) == shops:
            continue
        name = log.sequences[Column.SEQUENCE].iloc[test.rows[row]]
        own = read_events(home, DATASET, sequences=[name])
        wanted = brushing[own[Column.ROW].to_numpy() - 1]
        if not 0 < wanted.sum() < len(own):
            continue
        (one,) = read_each(home, scorer, DATASET, [name])
        of_events = attribute(scorer, one).by_event(one)[1:]
        for way, values in {
            "attribution": of_events,
            "same buyer in the hour before": in_hour(own, future=False),
            "same buyer in an hour around": in_hour(own, future=True),
        }.items():
            found.setdefault(way, []).append(precision(values, wanted))
    for way, each in found.items():
        print(
            f"{way:<32}precision at k, mean {np.mean(each):.3f}, median "
            f"{statistics.median(each):.3f}; {len(each)} windows",
            flush=True,
        )


def main() -> None:
    """Measure one seed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shops", type=int, default=30)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), asked.seed, asked.shops)


if __name__ == "__main__":
    main()
