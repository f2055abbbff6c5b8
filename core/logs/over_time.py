"""How many events of each action happened when, counted where the events lie."""

import pandas as pd

from core.logs.engine import connect, literal, scratch_folder
from core.logs.frames import to_frame
from core.store.home import Home

_BINS = 80
_STEPS = (60, 300, 900, 3600, 3 * 3600, 6 * 3600, 86400, 7 * 86400, 28 * 86400)  # seconds


def actions_over_time(home: Home, dataset_id: str) -> pd.DataFrame:
    """Return ts (start of an interval), action and events; empty when the log has no time."""
    files = literal(str(home.dataset_dir(dataset_id) / "events" / "part-*.parquet"))
    with scratch_folder() as scratch, connect(scratch) as con:
        span = con.execute(f"SELECT epoch(max(ts) - min(ts)) FROM read_parquet({files})").fetchone()
        seconds = 0.0 if span is None or span[0] is None else float(span[0])
        step = next((step for step in _STEPS if seconds / step <= _BINS), _STEPS[-1])
        return to_frame(
            con.execute(
                f"""SELECT time_bucket(to_seconds({step}), ts, TIMESTAMP '2000-01-03') AS ts,
                "action", count(*) AS events FROM read_parquet({files})
                WHERE ts IS NOT NULL GROUP BY ALL ORDER BY ALL"""
            )
        )
