"""How early abuse is seen: the score of a sequence after each of its events."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.batch import Batch
from core.explain.prefixes import encode_prefixes, prefixes, spread
from core.govern.log import Log
from core.model.metrics import INTERVAL
from core.model.units import Bags
from core.schema import Column
from core.tokens import Tokenizer

Floats = npt.NDArray[np.float32]

UNITS = 40  # units of abuse looked at, drawn at random
PREFIXES = 24  # of one sequence, evenly spread where it is longer
RESAMPLES = 1000


def early_detection(
    log: Log,
    tokenizer: Tokenizer,
    score: Callable[[Batch], Floats],
    bags: Bags,
    scored: Floats,
    threshold: float,
) -> dict[str, Any] | None:
    """Return how many events before the end of a sequence its score first reaches `threshold`.

    Looks at the highest-scoring sequence of up to 40 units of abuse. The profile of a prefix is
    computed from the prefix; what it needs from the rest of the log (such as how often a pattern
    occurs) is hidden from the model. None where no unit is abuse.

    Parameters
    ----------
    score
        Sequences -> scores, (N,).
    bags
        The units judged; only those of abuse count.
    scored
        Scores of their sequences, in the order of ``bags.rows``.
    """
    abuse = np.flatnonzero(bags.label == 1)
    if not len(abuse):
        return None
    drawn = np.random.default_rng(0).permutation(abuse)[:UNITS]
    rows = np.array([_highest(bags, scored, index) for index in np.sort(drawn)])
    events = _prefixes(log, rows)
    reached = score(encode_prefixes(events, tokenizer, log.mapping, log.actions)) >= threshold
    of_sequence = events.groupby(Column.SEQUENCE, sort=False).agg(
        row=("row_of", "first"), seen=(Column.POSITION, "size")
    )
    of_sequence["reached"] = reached
    length = log.sequences[Column.EVENTS].to_numpy()
    first = of_sequence[of_sequence["reached"]].groupby("row")["seen"].min()
    total = length[first.index.to_numpy(dtype=np.int64)]
    before = total - first.to_numpy()
    return {
        "units": len(rows),
        "reached": len(first),
        "events_before_end": _median(before),
        "share_seen": _median(first.to_numpy() / total),
    }


def _highest(bags: Bags, scored: Floats, index: int) -> int:
    """Return the row of the highest-scoring sequence of a bag."""
    inside = slice(bags.offsets[index], bags.offsets[index + 1])
    return int(bags.rows[inside][scored[inside].argmax()])


def _prefixes(log: Log, rows: npt.NDArray[np.int64]) -> pd.DataFrame:
    """Return the events of every prefix, each a sequence of its own; ``row_of`` is whose it is."""
    events = log.events(rows)
    found = []
    for row in rows:
        whole = events[events[Column.SEQUENCE] == log.sequences[Column.SEQUENCE].iloc[row]]
        found.append(prefixes(whole, spread(len(whole), PREFIXES)).assign(row_of=row))
    return pd.concat(found, ignore_index=True)


def _median(values: npt.NDArray[Any]) -> dict[str, float] | None:
    """Return the median with its bootstrap interval."""
    if not len(values):
        return None
    rng = np.random.default_rng(0)
    drawn = np.median(values[rng.integers(0, len(values), (RESAMPLES, len(values)))], axis=1)
    low, high = np.percentile(drawn, INTERVAL)
    return {"value": float(np.median(values)), "low": float(low), "high": float(high)}
