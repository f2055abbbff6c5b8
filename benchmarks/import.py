# ruff: noqa: N999 - run as a module, never imported
"""Import of a generated log beside a bare DuckDB, and beside pandas computing the same facts.

    python -m benchmarks.import --events 10_000_000

Each runs in a process of its own, in turns, so that peak memory and a noisy machine count alike.
The bare rival does `read_csv -> sort by user and time -> write Parquet` with types guessed by
DuckDB. The pandas rival computes the facts of every event with vectorised operations and writes
them; `tests/test_benchmarks.py` holds its values against Spoor's. Spoor's import also checks every
row, cuts sequences, profiles them, and measures quality; `inspect` looks at the same file.
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
import numpy as np
import pandas as pd

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


def pandas_facts(log: Path) -> pd.DataFrame:
    """Return the events by user and time with the facts that Spoor computes of each."""
    names = {"user_id": "actor", "product_id": "item", "event_type": "action", "price": "amount"}
    table = pd.read_csv(log, usecols=[*names, "event_time"], engine="pyarrow").rename(columns=names)
    table["ts"] = pd.to_datetime(table.pop("event_time"), format="%Y-%m-%d %H:%M:%S UTC")
    table["row"] = np.arange(1, len(table) + 1)
    table = table.sort_values(["actor", "ts", "row"], ignore_index=True)
    own = table.groupby("actor", sort=False)
    table["nth"] = own.cumcount() + 1
    table["gap"] = own["ts"].diff().dt.total_seconds()
    for name, window in {"burst_10s": "10s", "burst_1m": "60s", "actor_1h": "3600s"}.items():
        table[name] = _trailing(table.assign(one=1), "actor", "one", window)
    table["hour"] = table["ts"].dt.hour
    changed = own["action"].shift() != table["action"]
    table["repeat_action"] = table.groupby(["actor", changed.cumsum()], sort=False).cumcount() + 1
    table["same_item"] = own["item"].shift() == table["item"]
    pair = table.groupby(["actor", "item"], sort=False)
    table["item_own"] = pair.cumcount() + 1
    hour = pd.Timedelta(hours=1)
    begins = ~(pair["ts"].diff() <= hour)
    ends = ~(pair["ts"].shift(-1) - table["ts"] <= hour)
    table["begins"], table["ends"] = begins.astype(int), ends.astype(int)
    table["items_1h"] = _staying(table, "actor")
    pair_sum, pair_count = pair["amount"].cumsum() - table["amount"], table["item_own"] - 1
    table["pair_sum"], table["pair_count"] = pair_sum, pair_count
    table = table.sort_values(["item", "ts", "row"], ignore_index=True)
    of_item = table.groupby("item", sort=False)
    nth = of_item.cumcount() + 1
    table["item_seen"] = nth - table["item_own"]
    table["item_events_1h"] = _trailing(table.assign(one=1), "item", "one", "3600s")
    table["item_actors_1h"] = _staying(table, "item")
    table["item_ratio_1h"] = table["item_events_1h"] / table["item_actors_1h"]
    others = of_item["amount"].cumsum() - table["amount"] - table["pair_sum"]
    usual = others / (nth - 1 - table["pair_count"])
    table["amount_vs_item"] = (table["amount"] / usual).round(6)
    table = table.drop(columns=["begins", "ends", "pair_sum", "pair_count"])
    return table.sort_values(["actor", "ts", "row"], ignore_index=True)


def _trailing(table: pd.DataFrame, group: str, column: str, window: str) -> np.ndarray:
    """Sum `column` over the group's events of the trailing time; `table` is sorted by both."""
    rolling = table.groupby(group, sort=False).rolling(window, on="ts", closed="both")
    return rolling[column].sum().to_numpy()


def _staying(table: pd.DataFrame, group: str) -> np.ndarray:
    """Count distinct values of the trailing hour: stays that began, without those that ended."""
    kept = table.groupby(group, sort=False)
    ended = kept["ends"].cumsum() - _trailing(table, group, "ends", "3600s")
    return (kept["begins"].cumsum() - ended).to_numpy()


def pandas_rival(log: Path, folder: Path) -> None:
    """Read, compute the facts of events, write."""
    pandas_facts(log).to_parquet(folder / "pandas.parquet", compression="zstd")


def spoor(log: Path, folder: Path) -> None:
    """Import with all facts."""
    from core.logs.importing import import_log
    from core.store.home import open_home

    dataset = import_log(open_home(folder / "home"), log)
    assert dataset.accepted + dataset.rejected + dataset.duplicate == dataset.read


def spoor_own(log: Path, folder: Path) -> None:
    """Import with the facts of each actor's own events only."""
    from core.logs.importing import import_log
    from core.logs.mapping import Mapping
    from core.store.home import open_home

    import_log(open_home(folder / "home"), log, mapping=Mapping(facts="actor"))


def inspect(log: Path, folder: Path) -> None:
    """Look at the beginning."""
    from core.logs.proposal import inspect_log

    inspect_log(log)


WAYS = {
    "bare": bare,
    "spoor": spoor,
    "own facts": spoor_own,
    "pandas": pandas_rival,
    "inspect": inspect,
}


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
    parser.add_argument("--ways", choices=WAYS, nargs="+", default=list(WAYS))
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
        rounds = [
            {way: measured(way, log) for way in ["bare", *asked.ways]} for _ in range(asked.rounds)
        ]
        for way in rounds[0]:
            seconds = statistics.median(found[way]["seconds"] for found in rounds)
            peak = statistics.median(found[way]["peak_gb"] for found in rounds)
            ratio = statistics.median(
                found[way]["seconds"] / found["bare"]["seconds"] for found in rounds
            )
            print(f"{way}: {seconds:.1f} s, {ratio:.2f} times bare, peak {peak:.2f} GB")


if __name__ == "__main__":
    main()
