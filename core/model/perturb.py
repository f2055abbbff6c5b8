"""Small changes of behaviour, and an attacker's padding: pure functions over events.

Each takes the events of whole actors, by sequence and position, and a generator, and returns them
changed. Facts are not computed anew here: those of an inserted or exchanged event that depend on
others travel with it, all others are for `core.logs.measuring`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.schema import Column

Rows = npt.NDArray[np.int64]

JITTER = 0.1  # standard deviation of the logarithm of a gap's change: mostly within a tenth
LAST_GAP = 60.0  # seconds after the only event of a sequence


def drop_event(events: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Leave out one event of each sequence that has more than one."""
    draw = pd.Series(rng.random(len(events)), index=events.index)
    of_sequence = draw.groupby(events[Column.SEQUENCE], sort=False)
    dropped = (draw == of_sequence.transform("max")) & (of_sequence.transform("size") > 1)
    return _numbered(events[~dropped])


def jitter_gaps(
    events: pd.DataFrame, rng: np.random.Generator, *, scale: float = JITTER
) -> pd.DataFrame:
    """Stretch or shrink the times between events of a sequence; what follows moves along.

    Times of a log in whole seconds stay whole.
    """
    times = events[Column.TIME]
    gaps = times.groupby(events[Column.ACTOR], sort=False).diff().dt.total_seconds()
    inside = (events[Column.POSITION] > 0).to_numpy()
    factor = np.exp(rng.normal(0, scale, len(events)))
    change = pd.Series(np.where(inside, gaps * (factor - 1), 0.0), index=events.index).fillna(0.0)
    moved = times + pd.to_timedelta(
        change.groupby(events[Column.ACTOR], sort=False).cumsum(), unit="s"
    )
    unit = "s" if (times.dt.microsecond == 0).all() else "us"
    return events.assign(**{Column.TIME: moved.dt.round(unit).astype(times.dtype)})


def swap_items(
    events: pd.DataFrame,
    rng: np.random.Generator,
    *,
    price: Sequence[str],
    with_item: Sequence[str] = (),
) -> pd.DataFrame:
    """Exchange two different items of the same price within each sequence that has such.

    Parameters
    ----------
    price
        Columns in which both events agree.
    with_item
        Columns that go where their item goes.
    """
    item = events[Column.ITEM].to_numpy()
    same = events.groupby([Column.SEQUENCE, *price], sort=False).ngroup().tolist()
    pairs = []
    for rows in events.groupby(Column.SEQUENCE, sort=False).indices.values():
        if (pair := _pair(rng.permutation(rows).tolist(), same, item)) is not None:
            pairs.append(pair)
    if not pairs:
        return events
    order = np.arange(len(events))
    left, right = np.array(pairs).T
    order[left], order[right] = right, left
    columns = [Column.ITEM, *with_item]
    moved = events[columns].iloc[order].set_index(events.index)
    return events.assign(**{name: moved[name] for name in columns})


def pad(
    events: pd.DataFrame,
    rng: np.random.Generator,
    *,
    donors: pd.DataFrame,
    share: float,
    constant: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """Insert runs of `donors`' events until they are `share` of each sequence; at least one.

    They stand at random places, at times between their neighbours', in the donors' order.

    Parameters
    ----------
    donors
        Events with the same columns as `events`.
    constant
        Column of an entity -> that and the columns about it: where a sequence has a single value
        (its one device), what is inserted has it too.
    """
    counts = events.groupby(Column.SEQUENCE, sort=False).size().to_numpy()
    first = np.cumsum(counts) - counts
    extra = np.maximum(1, np.ceil(counts * share / (1 - share) - 1e-9)).astype(np.int64)
    of_sequence = np.repeat(np.arange(len(counts)), extra)
    draw = np.sort(of_sequence + rng.random(len(of_sequence))) - of_sequence  # sorted within each
    place = first[of_sequence] + draw * counts[of_sequence]
    host = np.minimum(place.astype(np.int64), len(events) - 1)
    turn = np.arange(len(of_sequence)) - np.repeat(np.cumsum(extra) - extra, extra)
    run = rng.integers(len(donors), size=len(counts))[of_sequence] + turn
    added = donors.iloc[run % len(donors)].reset_index(drop=True)
    hosts = events.iloc[host].reset_index(drop=True)
    owned = [Column.SEQUENCE, Column.ACTOR, Column.SESSION]
    added[owned] = hosts[owned]
    for entity, columns in (constant or {}).items():
        values = events.groupby(Column.SEQUENCE, sort=False)[entity].nunique().to_numpy()
        kept = values[of_sequence] <= 1
        for name in columns:
            added[name] = added[name].where(~kept, hosts[name])
    added[Column.TIME] = _between(events, host, place - host)
    whole = pd.concat([events, added], ignore_index=True)
    row = np.concatenate([events[Column.ROW], hosts[Column.ROW] + (place - host)])
    whole[Column.ROW] = np.argsort(np.argsort(row, kind="stable"), kind="stable") + 1
    order = np.argsort(np.concatenate([np.arange(len(events)), place]), kind="stable")
    return _numbered(whole.iloc[order])


def _between(
    events: pd.DataFrame, host: Rows, fraction: npt.NDArray[np.float64]
) -> "pd.Series[Any]":
    """Return times after the events `host`, by a fraction of the time until the next."""
    times = events[Column.TIME]
    gaps = times.groupby(events[Column.SEQUENCE], sort=False).diff().dt.total_seconds()
    until = gaps.groupby(events[Column.SEQUENCE], sort=False).shift(-1).fillna(gaps)
    seconds = until.fillna(LAST_GAP).to_numpy()[host] * fraction
    unit = "s" if (times.dt.microsecond == 0).all() else "us"
    base = times.iloc[host].reset_index(drop=True)
    between: pd.Series[Any] = (base + pd.to_timedelta(seconds, unit="s")).dt.floor(unit)
    return between.astype(times.dtype)


def _pair(
    rows: list[int], same: list[int], item: npt.NDArray[np.object_]
) -> tuple[int, int] | None:
    """Return two of `rows` of the same group and different items, the first there are."""
    seen: dict[int, int] = {}
    for row in rows:
        if same[row] < 0 or pd.isna(item[row]):
            continue
        other = seen.setdefault(same[row], row)
        if item[other] != item[row]:
            return other, row
    return None


def _numbered(events: pd.DataFrame) -> pd.DataFrame:
    position = events.groupby(Column.SEQUENCE, sort=False).cumcount()
    return events.assign(**{Column.POSITION: position}).reset_index(drop=True)


def cut(events: pd.DataFrame, max_events: int) -> "tuple[pd.DataFrame, pd.Series[str]]":
    """Cut what has grown too long as an import would; also return which sequence it was, by id."""
    piece = events[Column.POSITION] // max_events
    names = events[Column.SEQUENCE] + np.where(piece > 0, "+" + piece.astype(str), "")
    origin = pd.Series(events[Column.SEQUENCE].to_numpy(), index=names)
    cut_up = events.assign(
        **{Column.SEQUENCE: names, Column.POSITION: events[Column.POSITION] % max_events}
    )
    return cut_up, origin[~origin.index.duplicated()]
