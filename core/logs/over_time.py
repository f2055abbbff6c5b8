"""How many events of each action happened when, counted where the events lie."""

import glob

import pandas as pd

from core.logs.engine import connect, literal, one_row, scratch_folder
from core.logs.frames import to_frame
from core.store.home import Home

_BINS = 80
_STEPS = (60, 300, 900, 3600, 3 * 3600, 6 * 3600, 86400, 7 * 86400, 28 * 86400)  # seconds


def step_for(seconds: float) -> int:
    """Return the interval, in seconds, by which events of so long a time are counted."""
    return next((step for step in _STEPS if seconds / step <= _BINS), _STEPS[-1])


def actions_over_time(home: Home, dataset_id: str) -> pd.DataFrame:
    """Return ts (start of an interval), action and events; empty when the log has no time."""
    folder = glob.escape(str(home.dataset_dir(dataset_id) / "events"))
    files = literal(f"{folder}/part-*.parquet")
    with scratch_folder() as scratch, connect(scratch) as con:
        (span,) = one_row(con, f"SELECT epoch(max(ts) - min(ts)) FROM read_parquet({files})")
        step = step_for(span or 0.0)
        return to_frame(
            con.execute(
                f"""SELECT time_bucket(to_seconds({step}), ts, TIMESTAMP '2000-01-03') AS ts,
                "action", count(*) AS events FROM read_parquet({files})
                WHERE ts IS NOT NULL GROUP BY ALL ORDER BY ALL"""
            )
        )
