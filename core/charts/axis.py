"""The timeline's horizontal axis: real time with long gaps broken, and bursts found."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

BREAK_FACTOR = 6.0  # a gap this many times the upper quartile of gaps is drawn as a break
BURST_GAP = 5.0  # seconds between events that still belong to one burst
BURST_EVENTS = 5
TICKS = 7


@dataclass(frozen=True)
class Span:
    """A stretch of events, by index: ``first`` to ``last`` inclusive, ``seconds`` long."""

    first: int
    last: int
    seconds: float


@dataclass(frozen=True)
class TimeAxis:
    """Places of events on an axis whose long gaps are all the same short width."""

    places: Floats  # (N,)
    breaks: list[Span]  # each from the event before the gap to the one after it


def seconds_since_start(ts: pd.Series) -> Floats:
    """Return seconds from the first event to each event, (N,)."""
    since: Floats = (ts - ts.iloc[0]).dt.total_seconds().to_numpy(dtype=float)
    return since


def broken(seconds: Floats) -> TimeAxis:
    """Shorten the gaps that would squeeze everything else together."""
    gaps = np.diff(seconds)
    moving = gaps[gaps > 0]
    if not len(moving):
        return TimeAxis(seconds, [])
    # The cap must leave room for the label that says how long the break is.
    cap = max(BREAK_FACTOR * float(np.quantile(moving, 0.75)), 1.0)
    longest = float(moving.max())
    if longest <= cap:
        return TimeAxis(seconds, [])
    wide = gaps > cap
    shown = np.where(wide, cap, gaps)
    breaks = [Span(int(i), int(i) + 1, float(gaps[i])) for i in np.flatnonzero(wide)]
    return TimeAxis(np.concatenate([[0.0], np.cumsum(shown)]), breaks)


def bursts(seconds: Floats) -> list[Span]:
    """Find runs of events that follow each other within `BURST_GAP` seconds."""
    if not len(seconds):
        return []
    edges = np.flatnonzero(np.diff(seconds) > BURST_GAP)
    firsts = np.concatenate([[0], edges + 1])
    lasts = np.concatenate([edges, [len(seconds) - 1]])
    runs = zip(firsts.tolist(), lasts.tolist(), strict=True)
    return [
        Span(first, last, float(seconds[last] - seconds[first]))
        for first, last in runs
        if last - first + 1 >= BURST_EVENTS
    ]


def spaced(places: Floats, order: npt.NDArray[np.int64], apart: float) -> list[int]:
    """Pick indices, in the given order of preference, whose places lie `apart` from each other."""
    kept: list[int] = []
    for index in order.tolist():
        if all(abs(places[index] - places[other]) >= apart for other in kept):
            kept.append(index)
    return sorted(kept)


def time_labels(ts: pd.Series, axis: TimeAxis) -> tuple[list[float], list[str]]:
    """Choose where to write the time: at the start, after breaks, then where there is room."""
    width = float(axis.places[-1] - axis.places[0])
    after = [span.last for span in axis.breaks]
    rest = np.linspace(0, len(ts) - 1, min(len(ts), 40)).astype(int).tolist()
    order = np.array(list(dict.fromkeys([0, *after[:40], *rest])), dtype=np.int64)
    chosen = spaced(axis.places, order, max(width / TICKS, 1e-9))
    span = (ts.iloc[-1] - ts.iloc[0]).total_seconds()
    style = "%H:%M:%S" if span < 3600 else "%H:%M" if span < 86400 else "%d %b<br>%H:%M"
    labels = [str(ts.iloc[i].strftime(style)) for i in chosen]
    labels[0] = str(ts.iloc[chosen[0]].strftime("%d %b %Y<br>" + style.split("<br>")[-1]))
    return [float(axis.places[i]) for i in chosen], labels
