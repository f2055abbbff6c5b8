"""What an injection borrows from the log it goes into: its words, its items, its people's habits.

Every injected row is an honest row told again (same action, same item, the price of that day), so
that no column holds a value the log itself would not hold.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import is_datetime64_any_dtype

from core.errors import BadInput
from core.schema import Column
from core.simulate.extras import VISIT, Extras, sort_extras

Rows = npt.NDArray[np.int64]  # row numbers of the host's frame
Seconds = npt.NDArray[np.float64]

NEEDED: Final = (Column.ACTOR, Column.TIME, Column.ACTION)
COMPUTED: Final = (Column.SEQUENCE, Column.ROW, Column.POSITION)  # by an import, of its events
FAMILIES: Final = (  # the first pattern found in an action's name tells its family
    ("undo", r"remov|delet|cancel|refund|return|log.?out"),
    ("search", r"search|quer|filter|sort"),
    ("view", r"interaction|impression|browse"),
    ("login", r"log.?in|sign.?in|auth"),
    ("pay", r"\bpay|_pay|paid"),
    ("cart", r"cart|basket|wish|favou?rite"),
    ("order", r"order|purchas|buy|bought|transaction|checkout|clickout|book|sale"),
    ("review", r"review|\brat(e|ed|ing)\b|comment|feedback"),
    ("view", r"view|click|visit|detail|open|page|show"),
)
INSTEAD: Final = ("order", "cart", "view")  # what stands in for a family the log does not have
GAP: Final = 1800.0  # seconds between visits where the log has no sessions
UNITS: Final = ("D", "h", "min", "s", "ms", "us")


@dataclass(frozen=True)
class Host:
    """The log by time, and the look-ups an injection draws from."""

    frame: pd.DataFrame  # given columns without the computed ones, plus `visit`
    seconds: Seconds  # (rows,) since the first event
    families: dict[str, Rows]
    commonest: Rows  # rows of the commonest action
    of_item: dict[str, Rows]  # rows that tell something about an item
    visits: list[Rows]
    visits_of: dict[str, list[int]]  # visits of an actor by time
    extras: Extras
    sharers: dict[str, dict[str, int]]  # actors by value of a personal column
    shelf: dict[str, str]  # where an item stands: its kind, if the log tells
    amounts: Seconds  # that occur, sorted
    gaps: Seconds  # between events of a visit
    timed: bool
    unit: str  # the log's resolution in time

    @cached_property
    def actions(self) -> npt.NDArray[np.object_]:
        return self.frame[Column.ACTION].to_numpy(dtype=object)

    @cached_property
    def of_action(self) -> dict[str, Rows]:
        return {name: np.flatnonzero(self.actions == name) for name in set(self.actions)}

    @cached_property
    def items(self) -> list[str | None]:
        """The item of each row as text."""
        if Column.ITEM not in self.frame:
            return [None] * len(self.frame)
        return [None if pd.isna(item) else str(item) for item in self.frame[Column.ITEM]]

    @cached_property
    def visit(self) -> Rows:
        return self.frame[VISIT].to_numpy()

    @cached_property
    def end(self) -> float:
        """The last second of the log; without a time there is none."""
        return float(self.seconds[-1]) if self.timed else np.inf

    @cached_property
    def starts(self) -> Seconds:
        return np.array([self.seconds[rows[0]] for rows in self.visits])

    @cached_property
    def busy(self) -> list[str]:
        """Actors who do enough in a visit for a scheme to fit in."""
        longest = {a: max(len(self.visits[v]) for v in vs) for a, vs in self.visits_of.items()}
        enough = min(5.0, float(np.quantile(list(longest.values()), 0.75)))
        return [actor for actor, length in longest.items() if length >= enough]

    def family(self, name: str) -> Rows:
        """Return rows of a family of actions, or of what comes nearest to it in this log."""
        for candidate in (name, *INSTEAD):
            if candidate in self.families:
                return self.families[candidate]
        return self.commonest

    def popular(self) -> list[str]:
        """List the items, the most visited first."""
        return sorted(self.of_item, key=lambda item: (-len(self.of_item[item]), item))

    def by_price(self) -> list[str]:
        """List the items, the cheapest first."""
        if not len(self.amounts):
            return self.popular()
        amount = self.frame[Column.AMOUNT].to_numpy(dtype=float)
        return sorted(self.of_item, key=lambda item: (amount[self.of_item[item][0]], item))

    def by_shelf(self) -> list[str]:
        """List the items in the order of a catalogue."""
        return sorted(self.of_item, key=lambda item: (self.shelf[item], item))

    def alike(self, row: int) -> Rows:
        """Return the rows with the action of a row."""
        return self.of_action[self.actions[row]]

    def leading_to(self, item: str, rows: Rows) -> Rows:
        """Return those of `rows` (searches) in visits about the item; all if there are none."""
        found = rows[np.isin(self.visit[rows], self.visit[self.of_item[item]])]
        return found if len(found) else rows

    def labels(self, column: str) -> list[str]:
        """Return the values of a column with ids, as text."""
        return [str(value) for value in self.frame[column].dropna().unique()]

    def known(self, amounts: Seconds, before: Seconds) -> Seconds:
        """Move changed amounts to the nearest that occur in the log."""
        changed = ~np.isnan(amounts) & (amounts != before)
        after = np.searchsorted(self.amounts, amounts[changed]).clip(1, len(self.amounts) - 1)
        low, high = self.amounts[after - 1], self.amounts[after]
        known = amounts.copy()
        known[changed] = np.where(amounts[changed] - low < high - amounts[changed], low, high)
        return known

    def near(self, rows: Rows, at: float) -> int:
        """Return that of `rows` (by time) which is nearest to a time."""
        after = int(np.searchsorted(self.seconds[rows], at))
        window = rows[max(0, after - 1) : after + 1]
        return int(window[np.argmin(np.abs(self.seconds[window] - at))])


def read_host(events: pd.DataFrame) -> Host:
    """Check a frame of canonical events and learn what is needed to add to it."""
    frame, timed = _checked(events)
    seconds = (frame[Column.TIME] - frame[Column.TIME].iloc[0]).dt.total_seconds().to_numpy()
    frame[VISIT] = _visits(frame, seconds)
    visits = list(frame.groupby(VISIT, sort=True).indices.values())
    owner = frame[Column.ACTOR].to_numpy(dtype=object)
    visits_of: dict[str, list[int]] = {}
    for number, rows in enumerate(visits):
        visits_of.setdefault(str(owner[rows[0]]), []).append(number)
    extras = sort_extras(frame)
    of_item = _of_item(frame)
    actions = frame[Column.ACTION].value_counts()
    return Host(
        frame=frame,
        seconds=seconds,
        families=_families(frame[Column.ACTION]),
        commonest=np.flatnonzero((frame[Column.ACTION] == actions.index[0]).to_numpy()),
        of_item=of_item,
        visits=[np.asarray(rows, dtype=np.int64) for rows in visits],
        visits_of=visits_of,
        extras=extras,
        sharers={c: _sharers(frame, c) for c in extras.personal},
        shelf=_shelves(frame, of_item, extras.by_item),
        amounts=_amounts(frame),
        gaps=_gaps(frame[VISIT], seconds),
        timed=timed,
        unit=_unit(frame[Column.TIME]) if timed else "s",
    )


def _checked(events: pd.DataFrame) -> tuple[pd.DataFrame, bool]:
    """Return the frame by UTC time; without any time, by a made-up clock for each actor."""
    missing = [name for name in NEEDED if name not in events]
    if missing:
        raise BadInput(
            f"Events have the columns {', '.join(map(str, events.columns)) or '(none)'}; "
            f"{', '.join(missing)} missing. Needed are {', '.join(NEEDED)}."
        )
    if not len(events):
        raise BadInput("There are no events to inject into: at least one is needed.")
    if events[Column.ACTOR].isna().any() or events[Column.ACTION].isna().any():
        raise BadInput("Some events have no actor or no action; every event needs both.")
    frame = events.drop(columns=[c for c in COMPUTED if c in events]).copy()
    kinds = frame.select_dtypes("category").columns
    frame = frame.astype(dict.fromkeys(kinds, "str"))
    times, timed = frame[Column.TIME], not bool(frame[Column.TIME].isna().all())
    if not timed:
        order = frame.groupby(Column.ACTOR).cumcount()
        frame[Column.TIME] = pd.Timestamp("2000-01-01", tz="UTC") + pd.to_timedelta(order, "min")
    elif times.isna().any() or not is_datetime64_any_dtype(times):
        raise BadInput(
            f"Column {Column.TIME} has type {times.dtype} and {int(times.isna().sum())} missing "
            "times; accepted are times throughout, or none at all."
        )
    elif times.dt.tz is None:
        frame[Column.TIME] = times.dt.tz_localize("UTC")
    else:
        frame[Column.TIME] = times.dt.tz_convert("UTC")
    return frame.sort_values(Column.TIME, kind="stable", ignore_index=True), timed


def _visits(frame: pd.DataFrame, seconds: Seconds) -> pd.Series:
    """Give each visit a number: by session where there is one, else by a long pause."""
    actor = frame[Column.ACTOR]
    if Column.SESSION in frame and frame[Column.SESSION].notna().any():
        key = [actor, frame[Column.SESSION]]
    else:
        pause = pd.Series(seconds).groupby(actor.to_numpy()).diff() > GAP
        key = [actor, pause.groupby(actor.to_numpy()).cumsum()]
    return frame.groupby(key, sort=False, dropna=False).ngroup()


def _families(actions: pd.Series) -> dict[str, Rows]:
    named = {action: family_of(str(action)) for action in actions.unique()}
    family = actions.map(named).to_numpy(dtype=object)
    present = {name for name, _ in FAMILIES if name != "undo" and (family == name).any()}
    return {name: np.flatnonzero(family == name) for name in sorted(present)}


def family_of(action: str) -> str:
    """Name the family an action belongs to; `other` if none."""
    for name, pattern in FAMILIES:
        if re.search(pattern, action.lower()):
            return name
    return "other"


def _of_item(frame: pd.DataFrame) -> dict[str, Rows]:
    if Column.ITEM not in frame or frame[Column.ITEM].isna().all():
        return {}
    priced = frame[frame[Column.ITEM].notna()]
    if Column.AMOUNT in frame and priced[Column.AMOUNT].notna().any():
        priced = priced[priced[Column.AMOUNT].notna()]
    groups = priced.groupby(Column.ITEM, sort=True).indices
    return {str(item): priced.index.to_numpy()[rows] for item, rows in groups.items()}


def _sharers(frame: pd.DataFrame, column: str) -> dict[str, int]:
    counts = frame.groupby(column)[Column.ACTOR].nunique()
    return {str(value): int(number) for value, number in counts.items()}


def _shelves(frame: pd.DataFrame, of_item: dict[str, Rows], by_item: list[str]) -> dict[str, str]:
    """Tell the kind of each item: the fullest describing column, of such that with few values."""
    if not by_item:
        return dict.fromkeys(of_item, "")
    about = frame.loc[frame[Column.ITEM].notna(), by_item]
    name = min(by_item, key=lambda c: (round(about[c].isna().mean(), 1), about[c].nunique()))
    kind = frame[name].to_numpy(dtype=object)
    return {item: str(kind[rows[0]]) for item, rows in of_item.items()}


def _amounts(frame: pd.DataFrame) -> Seconds:
    if Column.AMOUNT not in frame:
        return np.array([])
    return np.unique(frame[Column.AMOUNT].dropna().to_numpy(dtype=float))


def _gaps(visit: pd.Series, seconds: Seconds) -> Seconds:
    gaps = pd.Series(seconds).groupby(visit.to_numpy()).diff().dropna().to_numpy()
    return np.asarray(gaps, dtype=float) if len(gaps) else np.array([10.0])  # seconds


def _unit(times: pd.Series) -> str:
    for unit in UNITS:
        if (times.dt.floor(unit) == times).all():
            return unit
    return "ns"
