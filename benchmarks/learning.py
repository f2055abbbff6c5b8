"""Models and every baseline on real labelled logs, with their given splits, on the same test rows.

    python -m benchmarks.learning                                       all baselines, no training
    python -m benchmarks.learning --sets amazon_reviewers --layouts summed --seeds 0 1 2
    python -m benchmarks.learning --sets amazon_reviewers --layouts inline --seeds 0 --epochs 4

Thresholds come from a part of the training rows. Per model: its metrics with 95 % intervals, by how
much it is ahead of each baseline (paired bootstrap), what its parts find alone and together,
seconds to train, and sequences scored per second as a share of an in-process matrix product, for a
busy machine slows both. Everything but fitting baselines alone goes through the command line.
"""

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from typer.testing import CliRunner

from core.__main__ import app
from core.batch import Batch
from core.govern.evaluation import baselines_of, judged
from core.govern.log import read_log
from core.govern.wording import interval
from core.model.backbone import load_encoder
from core.model.encoder import POSITIVE, Encoder
from core.model.inference import by_batch
from core.model.schemes import binary
from core.scoring.device import best_device
from core.scoring.engine import Scorer
from core.store.home import Home, open_home

SHARED = Path(__file__).parents[2] / "shared" / "data"
METRICS = ("roc_auc", "average_precision", "f1")
PARTS = ("transformer", "linear", "trees")
SPEED_ROUNDS = 5


@dataclass(frozen=True)
class LabelledLog:
    """A log with labels and a split, and what Spoor has to be told about it."""

    log: str
    labels: str
    key: str
    label: str
    mapping: dict[str, Any] | None = None  # None: as proposed


SETS = {
    "amazon_reviewers": LabelledLog("ratings.txt", "labels.csv", "user", "spammer"),
    "hdfs_sessions": LabelledLog("events.parquet", "labels.csv.gz", "seq_id", "anomaly"),
    "shopee_orders": LabelledLog(
        "orders.csv.gz",
        "shop_labels.csv",
        "shopid",
        "brushed",
        {
            "roles": {"actor": "shopid", "time": "event_time"},
            "columns": {"orderid": "ignore", "userid": "entity"},
            "sequence": {"by": "window", "max_events": 96},
        },
    ),
}


def run(home: Path, *arguments: object) -> dict[str, Any]:
    """Run one verb; return what it prints with --json."""
    result = CliRunner().invoke(app, [*map(str, arguments), "--home", str(home), "--json"])
    if result.exit_code:
        raise SystemExit(result.stderr or repr(result.exception))
    return dict(json.loads(result.stdout))


def load(folder: Path, name: str) -> None:
    """Import a log and attach its labels."""
    known = SETS[name]
    mapping = folder / f"{name}.json"
    if known.mapping is not None:
        mapping.write_text(json.dumps(known.mapping))
    told = [] if known.mapping is None else ["--mapping", mapping]
    print(run(folder, "import", SHARED / name / known.log, "--name", name, *told))
    about = ("--key", known.key, "--label", known.label, "--split", "split", "--on", "actor")
    dataset = name.replace("_", "-")
    print(run(folder, "labels", dataset, SHARED / name / known.labels, *about))


def show(name: str, report: dict[str, Any]) -> None:
    """Print one line of metrics."""
    shown = "  ".join(f"{metric} {interval(report[metric])}" for metric in METRICS)
    print(f"{name:<28}{shown}  {report.get('note', '')}", flush=True)


def measure_baselines(home: Home, dataset: str) -> None:
    """Fit and judge every baseline."""
    log = read_log(home, dataset)
    started = time.perf_counter()
    found = baselines_of(log)
    seconds = time.perf_counter() - started
    for name, (baseline, judgement) in judged(log, found).items():
        show(name, {**judgement.report, "note": baseline.note})
    print(f"fitted in {seconds:.1f} s; judged in {time.perf_counter() - started - seconds:.1f} s")


def measure_model(
    folder: Path, dataset: str, layout: str, seed: int, epochs: int | None
) -> dict[str, float]:
    """Train and judge one model; return its metrics."""
    started = time.perf_counter()
    limit = [] if epochs is None else ["--epochs", epochs]
    trained = run(folder, "train", dataset, "--layout", layout, "--seed", seed, *limit)
    seconds = time.perf_counter() - started
    found = run(folder, "evaluate", trained["model"], dataset)
    print(f"\n{dataset}, {layout}, seed {seed}, trained and judged in {seconds:.0f} s")
    show("model", found["metrics"])
    for name, report in found["baselines"].items():
        show(name, report)
        ahead = found["differences"][name]
        shown = "  ".join(f"{metric} {interval(ahead[metric])}" for metric in METRICS)
        print(f"{'  model ahead by':<28}{shown}")
    show_parts(open_home(folder), trained["model"], dataset)
    speed, per_gflops = scoring_speed(open_home(folder), trained["model"], dataset)
    print(f"{speed:.0f} sequences/s, {per_gflops:.2f} per GFLOP/s; {found['early_detection']}")
    return {name: found["metrics"][name]["value"] for name in METRICS}


def show_parts(home: Home, model: str, dataset: str) -> None:
    """Print what transformer, linear model and trees find on the test units, alone and together."""
    log, encoder = read_log(home, dataset), load_encoder(home.model_dir(model))
    assert log.bags is not None
    assert encoder.counters is not None
    encoder.to(best_device())
    test = log.bags.of("test")
    odds = by_batch(encoder, log.encode(encoder.tokenizer, test.rows), log_odds, width=len(PARTS))
    for number in range(1, len(PARTS) + 1):
        for some in combinations(range(len(PARTS)), number):
            score = test.maximum(odds[:, some].mean(1))
            area = roc_auc_score(test.label, score)
            precision = average_precision_score(test.label, score)
            name = " + ".join(PARTS[one] for one in some)
            print(f"  {name:<36}roc_auc {area:.4f}  average_precision {precision:.4f}", flush=True)


def log_odds(encoder: Encoder, batch: Batch) -> torch.Tensor:
    """Return each part's log-odds of abuse, (N, 3)."""
    assert encoder.counters is not None
    both = binary(encoder(batch).float())
    return torch.cat([both[:, [POSITIVE]] - both[:, [0]], encoder.counters(batch)], dim=1)


def matrix_product() -> float:
    """Return GFLOP/s of 4096x256 by 256x1024 now."""
    left, right = torch.randn(4096, 256), torch.randn(256, 1024)
    started = time.perf_counter()
    for _ in range(10):
        left @ right
    return 10 * 2 * 4096 * 256 * 1024 / (time.perf_counter() - started) / 1e9


def scoring_speed(home: Home, model: str, dataset: str) -> tuple[float, float]:
    """Return medians of sequences per second, and of those per GFLOP/s the machine gives."""
    scorer, log = Scorer.load(home.model_dir(model)), read_log(home, dataset)
    batch = log.encode(scorer.encoder.tokenizer)
    batch = batch.take(range(min(1000, len(batch))))
    speeds, shares = [], []
    for _ in range(SPEED_ROUNDS):
        ceiling = matrix_product()
        started = time.perf_counter()
        scorer.predict_proba(batch)
        speeds.append(len(batch) / (time.perf_counter() - started))
        shares.append(speeds[-1] / ceiling)
    return statistics.median(speeds), statistics.median(shares)


def main() -> None:
    """Print every baseline and, where layouts are given, each model and the medians by layout."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--layouts", nargs="+", default=[], choices=["summed", "inline"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, help="of each phase, instead of the defaults")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for known in asked.sets:
            load(folder, known)
            dataset = known.replace("_", "-")
            if not asked.layouts:
                measure_baselines(open_home(folder), dataset)
            for layout in asked.layouts:
                found = [
                    measure_model(folder, dataset, layout, seed, asked.epochs)
                    for seed in asked.seeds
                ]
                medians = {key: statistics.median(one[key] for one in found) for key in METRICS}
                print(dataset, layout, "medians", medians, flush=True)


if __name__ == "__main__":
    main()
