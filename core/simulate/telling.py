"""Writing planted events as rows of the host log: every one is an honest row told again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.extensions import ExtensionArray

from core.schema import Column
from core.simulate.extras import VISIT
from core.simulate.host import Host, Rows, Seconds
from core.simulate.minting import mint
from core.simulate.schemes import Step

HALF_HOUR = 1800.0  # seconds: no pause within a visit is longer


class Told(NamedTuple):
    """One planted event."""

    actor: str
    session: str
    at: float  # seconds since the first event of the log
    row: int  # of the host, which gives the action and what goes with it
    item_row: int  # which gives the item, what describes it, and its amount then; -1: none
    scale: float  # of the amount
    place: dict[str, str]  # values of personal and habitual columns
    cover: bool  # an honest event told again, not a step of the scheme


@dataclass
class Planting:
    """What is being added to a host and taken from it."""

    host: Host
    rng: np.random.Generator
    told: list[Told] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)  # rows of the host that did not happen
    truth: dict[str, str] = field(default_factory=dict)  # scheme of an actor
    like: dict[str, list[str]] = field(default_factory=dict)  # the host's ids, by column
    taken: dict[str, set[str]] = field(default_factory=dict)  # ids in use, by column

    def fresh(self, column: str, number: int = 1) -> list[str]:
        """Make new values that look like a column's."""
        if column not in self.like:
            self.like[column] = self.host.labels(column)
            self.taken[column] = set(self.like[column])
        return mint(self.like[column], number, self.taken[column], self.rng)


def tell(
    planting: Planting,
    actor: str,
    steps: Sequence[Step],
    pauses: Seconds,  # (steps,) before each step; the first counts for nothing
    at: float,
    place: dict[str, str],
) -> None:
    """Tell one visit: its steps, from a time on, from a place."""
    host = planting.host
    times = np.concatenate([[0.0], np.cumsum(pauses[1:])])
    if at + times[-1] > host.end:  # nothing happens after the log's end
        at = max(0.0, host.end - times[-1])
        times *= min(1.0, (host.end - at) / max(times[-1], 1e-9))
    session = planting.fresh(Column.SESSION)[0] if Column.SESSION in host.frame else ""
    for step, time in zip(steps, at + times, strict=True):
        row, item_row = _donors(planting, step, float(time))
        planting.told.append(
            Told(actor, session, float(time), row, item_row, step.scale, place, not step.family)
        )


def _donors(planting: Planting, step: Step, at: float) -> tuple[int, int]:
    """Choose the row that gives the action and the row that gives the item as it then was."""
    host, rng = planting.host, planting.rng
    rows = host.family(step.family) if step.among is None else step.among
    if step.item not in host.of_item:
        return int(rows[int(rng.integers(len(rows)))]), -1
    of_item = host.of_item[step.item]
    if len(both := _common(of_item, rows)):
        row = host.near(both, at)
    else:
        rows = host.leading_to(step.item, rows) if step.family == "search" else rows
        row = int(rows[int(rng.integers(len(rows)))])
    same_action = _common(of_item, host.alike(row))
    return row, host.near(same_action if len(same_action) else of_item, at)


def _common(some: Rows, rows: Rows) -> Rows:
    """Return those of `some` that are among `rows`; both sorted."""
    found = np.searchsorted(rows, some).clip(max=len(rows) - 1)
    return np.asarray(some[rows[found] == some])


def again(host: Host, rows: Rows) -> list[Step]:
    """List the steps of an honest visit, to be told again."""
    return [Step("", host.items[row], among=np.array([row])) for row in rows]


def pauses(host: Host, rows: Rows, rng: np.random.Generator) -> Seconds:
    """Return an honest visit's pauses, a little changed."""
    gaps = np.diff(host.seconds[rows], prepend=host.seconds[rows[0]])
    return np.minimum(gaps * rng.uniform(0.7, 1.4, len(rows)), HALF_HOUR)


def harvest(planting: Planting) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the host with all that was planted, by time; and the truth."""
    host = planting.host
    frame = pd.concat([host.frame.drop(index=planting.removed), _rows(planting)])
    mixed = planting.rng.random(frame[Column.ACTOR].nunique())  # ties in time tell nothing
    frame[VISIT] = mixed[pd.factorize(frame[Column.ACTOR])[0]]
    frame = frame.sort_values([Column.TIME, VISIT], kind="stable", ignore_index=True)
    if not host.timed:
        frame[Column.TIME] = pd.NaT
    truth = pd.DataFrame(
        {Column.ACTOR: list(planting.truth), "scheme": list(planting.truth.values())}, dtype="str"
    )
    return frame.drop(columns=VISIT), truth


def _rows(planting: Planting) -> pd.DataFrame:
    """Write the planted events with the columns and types of the host."""
    host, told = planting.host, planting.told
    rows = host.frame.iloc[[t.row for t in told]].copy()
    rows[Column.ACTOR] = _typed([t.actor for t in told], host.frame[Column.ACTOR])
    if Column.SESSION in rows and rows[Column.SESSION].notna().any():
        rows[Column.SESSION] = _typed([t.session for t in told], host.frame[Column.SESSION])
    for column in host.extras.unique:
        rows[column] = _typed(planting.fresh(column, len(told)), host.frame[column])
    since = pd.to_timedelta([t.at for t in told], unit="s").floor("us")
    times = (host.frame[Column.TIME].iloc[0] + since).floor(host.unit)
    rows[Column.TIME] = times.as_unit(host.frame[Column.TIME].dt.unit)
    for column in (*host.extras.personal, *host.extras.habitual):
        rows[column] = _typed([t.place.get(column) for t in told], host.frame[column])
    return _with_items(host, rows, told)


def _typed(
    values: Sequence[str | None], like: pd.Series
) -> ExtensionArray | npt.NDArray[np.object_]:
    return pd.array(np.array(values, dtype=object), dtype="str").astype(like.dtype)


def _with_items(host: Host, rows: pd.DataFrame, told: list[Told]) -> pd.DataFrame:
    """Give the rows that are about an item the item they are to be about."""
    if Column.ITEM not in rows:
        return rows
    about = np.array([t.item_row for t in told])
    dressed = (about >= 0) & rows[Column.ITEM].notna().to_numpy()
    for column in (Column.ITEM, *host.extras.by_item):
        values = rows[column].array.copy()
        values[dressed] = host.frame[column].array[about[dressed]]
        rows[column] = values
    if Column.AMOUNT in rows:
        amount = rows[Column.AMOUNT].to_numpy(dtype=float).copy()
        dressed &= ~np.isnan(amount)
        amount[dressed] = host.frame[Column.AMOUNT].to_numpy(dtype=float)[about[dressed]]
        rows[Column.AMOUNT] = host.known(amount * np.array([t.scale for t in told]), amount)
    return rows
