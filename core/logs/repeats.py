"""Events that equal an earlier one: told by a hash of all that is kept of them."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from core.logs.mapping import Mapping, extra_columns
from core.logs.ordered import Flags
from core.schema import Column

CONTENT = "@content"  # the column with the hash
_SHOWN = 5  # bursts
_OWN = (Column.ACTOR, Column.SESSION, Column.EVENT_ID, Column.TIME, Column.ACTION, Column.ITEM,
        Column.AMOUNT)  # fmt: skip


def content_columns(mapping: Mapping) -> list[str]:
    """Return the columns in which events that repeat are equal."""
    return [*_OWN, *extra_columns(mapping)]


def find_repeats(table: pa.Table) -> tuple[Flags, dict[str, Any]]:
    """Tell the events that equal an earlier one in every column, time included, and count them.

    The table of a `Loaded` part: equal events are of one actor, the earlier first. A burst
    is an event with its repeats.
    """
    content = pd.Series(table[CONTENT].to_numpy())
    repeats = content.duplicated().to_numpy()
    times = np.bincount(pd.factorize(content)[0])  # of each content, in the order of the first
    first = np.flatnonzero(~repeats)[times > 1]
    times = times[times > 1]
    rows = table[Column.ROW].to_numpy()[first]
    largest = table.take(first[np.lexsort((rows, -times))[:_SHOWN]])
    told = zip(*(largest[name].to_pylist() for name in (Column.ACTOR, Column.TIME, Column.ROW)),
               sorted(times, reverse=True), strict=False)  # fmt: skip
    return repeats, {
        "events": int(repeats.sum()),
        "bursts": len(times),
        "largest": [
            {"actor_id": actor, "ts": ts and ts.isoformat(), "row": row, "times": int(number)}
            for actor, ts, row, number in told
        ],
    }


def add_up(repeats: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the repeats of a log from those of its parts."""
    found = list(repeats)
    largest = [burst for part in found for burst in part["largest"]]
    return {
        "events": sum(part["events"] for part in found),
        "bursts": sum(part["bursts"] for part in found),
        "largest": sorted(largest, key=lambda burst: (-burst["times"], burst["row"]))[:_SHOWN],
    }
