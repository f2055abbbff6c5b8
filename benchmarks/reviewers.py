"""Both layouts against gradient boosting on `amazon_reviewers`, through the command line.

    python -m benchmarks.reviewers --layouts summed --seeds 0 1 2
    python -m benchmarks.reviewers --layouts summed inline --seeds 0 --epochs 4

Per layout and seed: ROC-AUC, average precision and F1 on the given test rows (the threshold comes
from a part of the training rows), seconds to train, and sequences scored per second as a share of
an in-process matrix product, for a busy machine slows both.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from typer.testing import CliRunner

from core.__main__ import app
from core.logs.frames import read_events, read_sequences
from core.scoring.engine import Scorer
from core.store.home import Home, open_home

DATA = Path(__file__).parents[2] / "shared" / "data" / "amazon_reviewers"
METRICS = ("roc_auc", "average_precision", "f1")
SPEED_ROUNDS = 5


def run(home: Path, *arguments: object) -> dict[str, Any]:
    """Run one verb; return what it prints with --json."""
    result = CliRunner().invoke(app, [*map(str, arguments), "--home", str(home), "--json"])
    if result.exit_code:
        raise SystemExit(result.stderr)
    return dict(json.loads(result.stdout))


def matrix_product() -> float:
    """Return GFLOP/s of 4096x256 by 256x1024 now."""
    left, right = torch.randn(4096, 256), torch.randn(256, 1024)
    started = time.perf_counter()
    for _ in range(10):
        left @ right
    return 10 * 2 * 4096 * 256 * 1024 / (time.perf_counter() - started) / 1e9


def scoring_speed(home: Home, model: str) -> tuple[float, float]:
    """Return medians of sequences per second, and of those per GFLOP/s the machine gives."""
    scorer = Scorer.load(home.model_dir(model))
    events, sequences = read_events(home, "reviewers"), read_sequences(home, "reviewers")
    batch = scorer.encoder.tokenizer.encode(events, sequences).take(range(1000))
    speeds, shares = [], []
    for _ in range(SPEED_ROUNDS):
        ceiling = matrix_product()
        started = time.perf_counter()
        scorer.predict_proba(batch)
        speeds.append(len(batch) / (time.perf_counter() - started))
        shares.append(speeds[-1] / ceiling)
    return statistics.median(speeds), statistics.median(shares)


def measure(folder: Path, layout: str, seed: int, epochs: int | None) -> dict[str, Any]:
    """Train and judge one model."""
    started = time.perf_counter()
    limit = [] if epochs is None else ["--epochs", epochs]
    trained = run(folder, "train", "reviewers", "--layout", layout, "--seed", seed, *limit)
    seconds = time.perf_counter() - started
    judged = run(folder, "evaluate", trained["model"], "reviewers")
    speed, per_gflops = scoring_speed(open_home(folder), trained["model"])
    shown = {name: round(judged["metrics"][name]["value"], 4) for name in METRICS}
    rivals = {
        rival: {name: round(found[name]["value"], 4) for name in METRICS}
        for rival, found in judged["baselines"].items()
    }
    return {
        "layout": layout,
        "seed": seed,
        "epochs": epochs or "default",
        **shown,
        "train_seconds": round(seconds),
        "sequences_per_second": round(speed),
        "sequences_per_gflop": round(per_gflops, 2),
        "baselines": rivals,
    }


def main() -> None:
    """Print one JSON line per model, then the medians per layout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layouts", nargs="+", default=["summed", "inline"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, help="of each phase, instead of the defaults")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(run(folder, "import", DATA / "ratings.txt", "--name", "reviewers"))
        print(
            run(folder, "labels", "reviewers", DATA / "labels.csv", "--key", "user",
                "--label", "spammer", "--split", "split")
        )  # fmt: skip
        for layout in asked.layouts:
            found = []
            for seed in asked.seeds:
                found.append(measure(folder, layout, seed, asked.epochs))
                print(json.dumps(found[-1]), flush=True)
            medians = {key: statistics.median(one[key] for one in found) for key in METRICS}
            print(layout, "medians", medians, flush=True)


if __name__ == "__main__":
    main()
