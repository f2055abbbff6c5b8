"""Without labels on `hdfs_sessions`, through the command line.

    python -m benchmarks.unlabelled --seeds 0

Training sees the normal training sessions and nothing else; the threshold is a quantile of their
own scores; the test sessions are imported by themselves. Beside it the detector that is hard to
beat: a count vector never seen among the training sessions.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from benchmarks.learning import run

DATA = Path(__file__).parents[2] / "shared" / "data" / "hdfs_sessions"
QUANTILE = 0.998  # of the training scores; chosen on a part of the training sessions


def judge(y_true: Any, score: Any, threshold: float) -> dict[str, float]:
    """Return average precision, ROC-AUC, F1 and the two kinds of error."""
    flagged = score >= threshold
    return {
        "average_precision": round(float(average_precision_score(y_true, score)), 4),
        "roc_auc": round(float(roc_auc_score(y_true, score)), 4),
        "f1": round(float(f1_score(y_true, flagged)), 4),
        "false_alarms": int((flagged & ~y_true).sum()),
        "missed": int((~flagged & y_true).sum()),
    }


def never_seen(usual: pd.DataFrame, test: pd.DataFrame) -> pd.Series:
    """Return 1 for each test session whose count vector no training session has."""
    vectors = [
        pd.crosstab(frame["seq_id"], frame["template"]).apply(
            lambda row: frozenset(row[row > 0].items()), axis=1
        )
        for frame in (usual, test)
    ]
    return (~vectors[1].isin(set(vectors[0]))).astype(int)


def measure(folder: Path, seed: int, labels: pd.Series) -> dict[str, Any]:
    """Train on the usual sessions, score the others."""
    started = time.perf_counter()
    model = run(folder, "train", "usual", "--seed", seed)["model"]
    seconds = time.perf_counter() - started
    scores = {}
    for name in ("usual", "test"):
        run(folder, "score", model, name, "--out", folder / f"{name}.csv")
        scores[name] = pd.read_csv(folder / f"{name}.csv").set_index("actor_id")["score"]
    threshold = float(np.quantile(scores["usual"], QUANTILE))
    y_true = labels[scores["test"].index].to_numpy()
    found = judge(y_true, scores["test"].to_numpy(), threshold)
    return {"seed": seed, **found, "train_seconds": round(seconds)}


def main() -> None:
    """Print one JSON line per seed, the medians, and the detector's line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    asked = parser.parse_args()
    labels = pd.read_csv(DATA / "labels.csv.gz").set_index("seq_id")
    events = pd.read_parquet(DATA / "events.parquet")
    split = labels["split"].where(~((labels["split"] == "train") & labels["anomaly"]))
    sets = {"usual": events[events["seq_id"].map(split) == "train"]}
    sets["test"] = events[events["seq_id"].map(split) == "test"]
    rival = never_seen(sets["usual"], sets["test"])
    anomaly = labels["anomaly"]
    print("never seen", json.dumps(judge(anomaly[rival.index].to_numpy(), rival.to_numpy(), 1)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part, frame in sets.items():
            frame.to_parquet(folder / f"{part}.parquet", index=False)
            run(folder, "import", folder / f"{part}.parquet", "--name", part)
        found = []
        for seed in asked.seeds:
            found.append(measure(folder, seed, anomaly))
            print(json.dumps(found[-1]), flush=True)
        names = ("average_precision", "roc_auc", "f1")
        print("medians", {key: statistics.median(one[key] for one in found) for key in names})


if __name__ == "__main__":
    main()
