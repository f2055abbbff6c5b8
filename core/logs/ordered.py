"""Events as arrays, and the orders in which facts look at them.

What a fact asks of an event is asked of the events of a group: an actor's, an item's, an actor's on
one item. In an order, groups lie one after another, each by time and then by row, so that all is
sums and searches along arrays: a window of SQL for each costs twenty times as much.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

HOUR = 3600  # seconds
SECOND = 1_000_000  # microseconds
NOTHING = -1  # the number of a name that is missing
_APART = HOUR * SECOND + 1  # microseconds: more than any trailing time


class Events:
    """Columns of N events, and what is computed of them when it is asked for.

    They lie by time and then by row wherever events are equal in the column `main`.

    Parameters
    ----------
    columns
        (N,) each: names as whole numbers, equal where the names are, `NOTHING` where there is none;
        numbers as floats, NaN where there is none.
    times
        Microseconds since 1970, (N,); None in a log without times.
    main
        The column whose equal values lie together.
    computed
        Further columns: how to compute them.
    words
        What the numbers in a column of names stand for, where that is asked.
    """

    def __init__(
        self,
        columns: Mapping[str, Array],
        times: Places | None,
        main: str,
        computed: Mapping[str, Callable[["Events"], Array]],
        words: Mapping[str, Sequence[str]],
    ) -> None:
        self._columns = dict(columns)
        self._words = words
        self._times = times
        self._main = main
        self._computed = computed
        self._orders: dict[tuple[str, ...], Order] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._columns:
            self._columns[name] = self._computed[name](self)
        return self._columns[name]

    def put(self, name: str, values: Array) -> None:
        """Add a column."""
        self._columns[name] = values

    def __len__(self) -> int:
        return len(self._columns[self._main])

    @property
    def times(self) -> Places:
        """Microseconds since 1970."""
        assert self._times is not None, "a log without times has no facts about them"
        return self._times

    def has(self, name: str) -> Flags:
        """Tell the events that have a name in this column."""
        found: Flags = self[name] >= 0
        return found

    def says(self, name: str, word: str) -> Flags:
        """Tell the events that have a word in this column of names."""
        known = self._words[name]
        found: Flags = self[name] == (known.index(word) if word in known else len(known))
        return found

    def by(self, *names: str) -> "Order":
        """Return the order in which events with equal values of these columns lie together."""
        if names not in self._orders:
            keys = numbered(*(self[name] for name in names))
            lies = names == (self._main,)
            place = None if lies else np.argsort(keys, kind="stable")
            self._orders[names] = Order(keys, self._times, place)
        return self._orders[names]

    def different(self, name: str, group: str) -> Array:
        """Count the values of column `name` among the group's events of the trailing hour.

        That is how many stays with a value began, less those that ended before the hour: a stay
        goes on while the value comes back within an hour. That it has ended is used no sooner than
        an hour later, so it tells nothing of what is still to come; and stays in earlier groups
        have all ended.
        """
        order, known = self.by(group), self.has(name)
        begins, ends = self.by(group, name).stays()
        return order.sum_so_far(begins & known) - order.sum_before_window(ends & known, HOUR)


class Order:
    """Events in an order; what it takes and gives are arrays of the events as they lie otherwise.

    Parameters
    ----------
    keys
        Equal for the events of a group, (N,).
    times
        As of `Events`.
    place
        Which event stands where, (N,); None: they lie so.
    """

    def __init__(self, keys: Places, times: Places | None, place: Places | None) -> None:
        self._place = place
        self._times = times
        there = self._there(keys)
        self._at = np.arange(len(keys))
        self._begins = there != np.roll(there, 1)
        self._begins[:1] = True

    @cached_property
    def _first(self) -> Places:
        """The place of the first event of the group, (N,)."""
        found: Places = np.maximum.accumulate(np.where(self._begins, self._at, 0))
        return found

    def _there(self, values: Array) -> Array:
        return values if self._place is None else values[self._place]

    def _back(self, values: Array) -> Array:
        if self._place is None:
            return values
        found = np.empty_like(values)
        found[self._place] = values
        return found

    def turn(self) -> Array:
        """Return the place of an event in its group, from 1."""
        return self._back(self._at - self._first + 1)

    def size(self) -> Array:
        """Return how many events the group has."""
        return self._back(self._per_group(np.ones(len(self._at), dtype=np.int64)))

    def total(self, values: Array) -> Array:
        """Return the sum over the group."""
        return self._back(self._per_group(self._there(values)))

    def _per_group(self, values: Array) -> Array:
        starts = np.flatnonzero(self._begins)
        sizes = np.diff(starts, append=len(self._at))
        return np.repeat(np.add.reduceat(values, starts), sizes) if len(starts) else values

    def previous(self, values: Array, *, missing: Any) -> Array:
        """Return the value of the group's event before, `missing` for its first."""
        earlier = np.roll(self._there(values), 1)
        return self._back(np.where(self._begins, missing, earlier))

    def since_previous(self) -> Floats:
        """Return the microseconds since the group's event before, NaN for its first."""
        return self._back(np.where(self._begins, np.nan, self._pauses))

    def until_next(self) -> Floats:
        """Return the microseconds to the group's next event, NaN for its last."""
        last = np.roll(self._begins, -1)
        return self._back(np.where(last, np.nan, np.roll(self._pauses, -1)))

    def stays(self) -> tuple[Flags, Flags]:
        """Tell the events before and after which the group pauses for more than an hour."""
        hour = HOUR * SECOND
        return ~(self.since_previous() <= hour), ~(self.until_next() <= hour)

    def run(self, values: Array) -> Array:
        """Count the events up to this one, without a break, that have its value."""
        there = self._there(values)
        changes = self._begins | (there != np.roll(there, 1))
        return self._back(self._at - np.maximum.accumulate(np.where(changes, self._at, 0)) + 1)

    def within(self, seconds: int) -> Array:
        """Count the group's events of the trailing time, this one and not those after it."""
        return self._back(self._at - self._since(seconds) + 1)

    def sum_so_far(self, flags: Flags) -> Array:
        """Count those flagged up to this event, of earlier groups too."""
        return self._back(np.cumsum(self._there(flags)))

    def sum_before_window(self, flags: Flags, seconds: int) -> Array:
        """Count those flagged before the trailing time begins, of earlier groups too."""
        before = np.append(0, np.cumsum(self._there(flags)))
        return self._back(before[self._since(seconds)])

    def sum_ahead(self, begins: Flags, ends: Flags, seconds: int) -> Array:
        """Count what begins until so long after this event, less what ends before its time."""
        first = np.searchsorted(self._clock, self._clock)  # of those at the same time
        last = np.searchsorted(self._clock, self._clock + seconds * SECOND, side="right")
        begun, ended = (np.append(0, np.cumsum(self._there(flags))) for flags in (begins, ends))
        return self._back(begun[last] - ended[first])

    def sum_in_group(self, values: Array) -> Array:
        """Add up to this event, in its group alone."""
        there = pd.Series(self._there(values))
        return self._back(there.groupby(self._first, sort=False).cumsum().to_numpy())

    def _since(self, seconds: int) -> Places:
        """Return the place of the group's first event of the trailing time.

        A binary search in times that run on from group to group: between two groups, and between
        events far apart, they go on by more than any trailing time.
        """
        return np.searchsorted(self._clock, self._clock - seconds * SECOND)

    @cached_property
    def _pauses(self) -> Places:
        """Microseconds since the event before, of whatever group, (N,)."""
        assert self._times is not None, "a log without times has no facts about them"
        there = self._there(self._times)
        return there - np.roll(there, 1)

    @cached_property
    def _clock(self) -> Places:
        steps = np.where(self._begins, _APART, np.minimum(self._pauses, _APART))
        found: Places = np.cumsum(steps)
        return found


def numbered(*columns: Array) -> Places:
    """Return one whole number for each combination of whole numbers: equal where all are."""
    first, *others = columns
    keys = first.astype(np.int64)
    for column in others:
        keys = pd.factorize(keys)[0] * (int(column.max(initial=0)) + 2) + column + 1
    return keys


def share(part: Array, whole: Array) -> Floats:
    """Return part / whole, NaN where the whole is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole == 0, np.nan, part / whole)


def words_of(values: Sequence[str], numbers: Places) -> npt.NDArray[np.object_]:
    """Return the words that numbers stand for, None for `NOTHING`."""
    found = np.array([*values, None], dtype=object)
    return found[numbers]
