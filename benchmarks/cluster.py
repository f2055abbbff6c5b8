"""Scoring on a Ray cluster of two workers beside a run of one process on two cores, in turns.

    python -m benchmarks.cluster      three copies of the demonstration log, three rounds

Rates are taken from the first fifth of a run to its end, when all workers have the model; how long
a cluster run takes before its first scores is told apart. The cluster itself is started before.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import pandas as pd
import torch
from ray.cluster_utils import Cluster

from core.demo import MAPPING, install_starter
from core.logs import building
from core.logs.frames import partitions
from core.logs.importing import import_log
from core.scoring.cases import read_scores
from core.scoring.cluster import on_ray
from core.scoring.engine import Scorer
from core.scoring.partitions import Spread, in_this_process
from core.scoring.runs import score_dataset
from core.simulate.demo import write_demonstration
from core.store.home import Home, open_home, remove

WORKERS = 2
EVENTS_PER_PART = 5_000  # so that a log of a minute has as many partitions as one of hours


def repeated(home: Home, folder: Path, copies: int) -> str:
    """Import the demonstration log several times over, each time with actors of its own."""
    log = pd.read_csv(write_demonstration(folder)[0])
    for number in range(copies):
        log["user_id"] = log["user_id"].astype(str) + f"-{number}"
        log["session_id"] = log["session_id"].astype(str) + f"-{number}"
        log.to_csv(folder / "log.csv", index=False, mode="a", header=not number)
    building.EVENTS_PER_PART = EVENTS_PER_PART
    return import_log(home, folder / "log.csv", mapping=MAPPING, name="repeated").id


def run(
    home: Home, scorer: Scorer, dataset: str, spread: Spread
) -> tuple[float, float, pd.DataFrame]:
    """Score all anew; return sequences per second, seconds before the first, and the scores."""
    points: list[tuple[float, float]] = []
    started = time.perf_counter()
    made = score_dataset(
        home,
        scorer,
        dataset,
        progress=lambda share, text: points.append((share, time.perf_counter())),
        spread=spread,
    )
    share, since = next(point for point in points if point[0] > 0.2)
    rate = made.sequences * (1 - share) / (points[-1][1] - since)
    first = next(at for share, at in points if share > 0)
    scores = read_scores(home, made.id)
    remove(home.run_file(made.id))  # what is known would not be computed again
    return rate, first - started, scores


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(WORKERS)
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 - else 15: a run here would come first
    cluster = Cluster(True, head_node_args={"num_cpus": WORKERS, "include_dashboard": False})
    os.environ["RAY_ADDRESS"] = cluster.address
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = open_home(folder / "home")
        scorer = Scorer.load(home.model_dir(install_starter(home)))
        dataset = repeated(home, folder, given.copies)
        rates: dict[str, list[float]] = {"local": [], "ray": []}
        for _ in range(given.rounds):
            here, _, expected = run(home, scorer, dataset, in_this_process)
            there, waited, found = run(home, scorer, dataset, on_ray)
            pd.testing.assert_frame_equal(found, expected, atol=1e-5)
            rates["local"].append(here)
            rates["ray"].append(there)
            print(
                f"{len(found):,} sequences in {partitions(home, dataset)} partitions: here "
                f"{here:,.0f} sequences/s, {WORKERS} workers {there:,.0f} after {waited:.1f} s"
            )
        ratios = [there / here for here, there in zip(*rates.values(), strict=True)]
        print(f"Ray at {statistics.median(ratios):.2f} of the local rate, scores within 1e-5")
    cluster.shutdown()


if __name__ == "__main__":
    main()
