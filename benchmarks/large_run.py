"""Memory and time while a run scores a data set of many sequences, its queue included.

    python -m benchmarks.large_run --sequences 5_000_000

The log is that of `benchmarks.import`, cut by session; a model that learned from another such log,
in one epoch, which sessions buy more than once scores it. Import and run are processes of their
own. Memory is what the run's process holds at each tenth of the way, and its peak, which includes
the queue that the run ends with.
"""

import argparse
import importlib
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from core.logs.importing import import_log
from core.logs.labels import attach_labels
from core.logs.mapping import Mapping, SequenceRule
from core.store import cases
from core.store.datasets import Dataset
from core.store.home import Home, open_home

NAME, SMALL, MODEL = "many", "few", "model"
EVENTS_PER_SESSION = 6.7  # of the generated log
LEARNED_FROM = 20_000  # sessions


def prepare(home: Home, sequences: int) -> None:
    """Import logs of about so many sessions and of a few, and train a model on these."""
    from core.govern.config import TrainConfig
    from core.govern.training import train

    imported(home, sequences, NAME)
    few = imported(home, LEARNED_FROM, SMALL)
    labels = home.path / "labels.csv"
    duckdb.execute(
        f"""COPY (SELECT user_session, (count(*) FILTER (event_type = 'purchase') > 1)::INT AS abuse
        FROM read_csv('{few.source}') GROUP BY user_session) TO '{labels}'"""
    )
    attach_labels(home, few.id, labels, key="user_session", label="abuse", on="session")
    train(home, few.id, config=TrainConfig.of(epochs=1), model_id=MODEL)


def imported(home: Home, sequences: int, name: str) -> Dataset:
    """Generate a log of about so many sessions and import it."""
    log = home.path / f"{name}.csv"
    events = round(sequences * EVENTS_PER_SESSION)
    importlib.import_module("benchmarks.import").generate(events, log)
    by_session = Mapping(sequence=SequenceRule(by="session"))
    dataset = import_log(home, log, mapping=by_session, name=name)
    print(f"{dataset.accepted:,} events, {dataset.sequences:,} sequences", flush=True)
    return dataset


def held() -> float:
    """Return what this process holds of the memory, in GB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e9


def score_many(home: Home) -> None:
    """Score the data set; print time and memory at each tenth, and at the end."""
    from core.scoring.engine import Scorer
    from core.scoring.runs import score_dataset

    started, tenth = time.perf_counter(), 0

    def tell(share: float, text: str) -> None:
        nonlocal tenth
        if share * 10 >= tenth:
            taken = time.perf_counter() - started
            print(f"{share:4.0%} {taken:6.0f} s {held():.2f} GB", flush=True)
            tenth = int(share * 10) + 1

    run = score_dataset(home, Scorer.load(home.model_dir(MODEL)), NAME, progress=tell)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    with home.engine.connect() as con:
        waiting = len(cases.queue(con, NAME))
    print(
        f"{run.sequences / run.seconds:,.0f} sequences a second; with its queue of {waiting} cases "
        f"{time.perf_counter() - started:.0f} s, peak {peak:.2f} GB"
    )


def main() -> None:
    """Import and score, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=5_000_000)
    parser.add_argument("--home", type=Path, help="keep the data set here, or score the one here")
    parser.add_argument("--step", choices=["prepare", "score"], help="only this, in this process")
    asked = parser.parse_args()
    if asked.step == "prepare":
        prepare(open_home(asked.home), asked.sequences)
    elif asked.step == "score":
        score_many(open_home(asked.home))
    else:
        with tempfile.TemporaryDirectory() as folder:
            home = asked.home or Path(folder)
            for step in ["score"] if (home / "models" / MODEL).exists() else ["prepare", "score"]:
                given = ["--step", step, "--home", home, "--sequences", str(asked.sequences)]
                subprocess.run([sys.executable, "-m", "benchmarks.large_run", *given], check=True)


if __name__ == "__main__":
    main()
