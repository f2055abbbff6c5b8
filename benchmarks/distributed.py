"""Pre-training in two processes of one thread beside one process of one and two threads, in turns.

    OMP_NUM_THREADS=1 torchrun --standalone --nproc-per-node 2 -m benchmarks.distributed

Both take the same steps of the default model on the same batches of the demonstration log: gradient
and descent, without reading the log. The second process sleeps while the first is measured alone.
"""

import argparse
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch

from core.demo import MAPPING
from core.govern.log import read_log
from core.logs.importing import import_log
from core.model.backbone import create_encoder
from core.model.batching import shuffled
from core.model.distributed import Add, _alone, processes, shared
from core.model.encoder import Encoder, Size
from core.model.optimising import Optimiser
from core.model.pretrain import PretrainConfig, _Puzzle, _puzzle
from core.simulate.demo import write_demonstration
from core.store.home import open_home

THREADS = 2


def prepare(folder: Path, width: int, steps: int) -> tuple[Encoder, list[_Puzzle]]:
    """Return an untrained model and what it learns from, a batch a step."""
    home = open_home(folder / "home")
    log_file = write_demonstration(folder)[0]
    log = read_log(home, import_log(home, log_file, mapping=MAPPING, name="demonstration").id)
    encoder = create_encoder(
        "behaviour-small", log.fit_tokenizer(), log.mapping,
        layout="summed", size=Size(width=width), seed=0,
    )  # fmt: skip
    batch = log.encode(encoder.tokenizer)
    config, rng = PretrainConfig(), np.random.default_rng(0)
    batches = shuffled(encoder.cost(batch), size=config.batch_size, rng=rng)
    return encoder.train(), [_puzzle(batch.take(rows), config, rng) for rows in batches[:steps]]


def rate(add: Add, optimiser: Optimiser, puzzles: list[_Puzzle]) -> float:
    """Return steps per second."""
    started = time.perf_counter()
    for number, puzzle in enumerate(puzzles):
        add(puzzle, number, 1)
        optimiser.step(0.5)
    return len(puzzles) / (time.perf_counter() - started)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with processes(lambda: torch.device("cpu")) as main, tempfile.TemporaryDirectory() as name:
        if not main:
            return
        encoder, puzzles = prepare(Path(name), given.width, given.steps)
        optimiser = Optimiser(encoder, 1e-3)
        alone = partial(_alone, encoder)
        ratios: dict[int, list[float]] = {1: [], THREADS: []}  # by threads of the one process
        with shared(encoder) as together:
            for _ in range(given.rounds):
                torch.set_num_threads(1)
                two = rate(together, optimiser, puzzles)
                for threads, found in ratios.items():
                    torch.set_num_threads(threads)
                    one = rate(alone, optimiser, puzzles)
                    found.append(two / one)
                    print(
                        f"{threads} threads {one:.2f} steps/s, two processes {two:.2f}", flush=True
                    )
        for threads, found in ratios.items():
            print(
                f"median {statistics.median(found):.2f} of {threads} threads, width {given.width}"
            )


if __name__ == "__main__":
    main()
