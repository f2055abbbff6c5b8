# ruff: noqa: N999 - run as a module, never imported
"""Import of a generated log beside a bare DuckDB that only reads, sorts and writes it.

    python -m benchmarks.import --events 10_000_000

Each runs in a process of its own, in turns, so that peak memory and a noisy machine count alike.
The bare rival does `read_csv -> sort by user and time -> write Parquet` with types guessed by
DuckDB. Spoor's import also checks every row, cuts sequences, computes all facts and profiles, and
measures quality; `inspect` looks at the same file.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

ROUNDS = 3
SEED = 20261122


def generate(events: int, target: Path) -> None:
    """Write a shop's log: skewed items and users, some brands missing, times in seconds."""
    item = f"CAST(floor(pow(hash(i, {SEED}) % 1000000 / 1e6, 3) * 60000) AS BIGINT)"
    users = max(1000, events // 12)
    user = f"CAST(floor(pow(hash(i // 7, {SEED}) % 1000000 / 1e6, 1.6) * {users}) AS BIGINT)"
    action = f"hash(i, {SEED + 1}) % 100"
    time_of = f"1569888000000000 + i * 250000 + CAST(hash(i, {SEED + 2}) % 200000 AS BIGINT)"
    duckdb.execute(
        f"""COPY (SELECT strftime(make_timestamp({time_of}), '%Y-%m-%d %H:%M:%S UTC') AS event_time,
            CASE WHEN {action} < 92 THEN 'view' WHEN {action} < 97 THEN 'cart' ELSE 'purchase' END
                AS event_type,
            1000000 + {item} AS product_id, 2053013550000000000 + {item} // 100 AS category_id,
            CASE WHEN hash(i, {SEED + 3}) % 7 > 0 THEN 'brand' || {item} // 70 END AS brand,
            5 + hash({item}) % 50000 / 100.0 AS price, 500000000 + {user} AS user_id,
            md5(concat({user}, '-', i // 200000)) AS user_session
        FROM range({events}) AS t(i)) TO '{target}' (FORMAT csv, HEADER)"""
    )


def bare(log: Path, folder: Path) -> None:
    """Read, sort, write: nothing else."""
    duckdb.execute(
        f"""COPY (FROM read_csv('{log}') ORDER BY user_id, event_time)
        TO '{folder / "bare.parquet"}' (FORMAT parquet, COMPRESSION zstd)"""
    )


def spoor(log: Path, folder: Path) -> None:
    """Import with all facts."""
    from core.logs.importing import import_log
    from core.store.home import open_home

    dataset = import_log(open_home(folder / "home"), log)
    assert dataset.accepted + dataset.rejected + dataset.duplicate == dataset.read


def inspect(log: Path, folder: Path) -> None:
    """Look at the beginning."""
    from core.logs.proposal import inspect_log

    inspect_log(log)


WAYS = {"bare": bare, "spoor": spoor, "inspect": inspect}


def measured(way: str, log: Path) -> dict[str, float]:
    """Run one way in a process of its own: seconds, without imports, and peak memory in GB."""
    command = [sys.executable, "-m", "benchmarks.import", "--way", way, "--log", str(log)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    """Print medians and the ratio of each way to the bare one of its round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--way", choices=WAYS, help="run this one only, in this process")
    parser.add_argument("--log", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if asked.way:
            duckdb.sql("SELECT 1")
            started = time.perf_counter()
            WAYS[asked.way](asked.log, Path(name))
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            print(json.dumps({"seconds": time.perf_counter() - started, "peak_gb": peak}))
            return
        log = Path(name) / "log.csv"
        generate(asked.events, log)
        rounds = [{way: measured(way, log) for way in WAYS} for _ in range(asked.rounds)]
        for way in WAYS:
            seconds = statistics.median(found[way]["seconds"] for found in rounds)
            peak = statistics.median(found[way]["peak_gb"] for found in rounds)
            ratio = statistics.median(
                found[way]["seconds"] / found["bare"]["seconds"] for found in rounds
            )
            print(f"{way}: {seconds:.1f} s, {ratio:.2f} times bare, peak {peak:.2f} GB")


if __name__ == "__main__":
    main()
