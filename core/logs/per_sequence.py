"""Events sequence by sequence, and what sums them up."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from core.logs.ordered import HOUR, Array, Events, Flags, Floats, Order, Places, numbered, share

Edges = Mapping[str, tuple[float, float]]  # lowest and highest value by column


class Sequences:
    """S sequences of events; every sum has an element for each, NaN where nothing is to sum up.

    Parameters
    ----------
    events
        Of all sequences and maybe more.
    place
        Of the events in sequences: one sequence after the other, each by time.
    sizes
        Events of each sequence, (S,), at least one.
    edges
        Of the numbers of the whole log.
    """

    def __init__(
        self,
        events: Events,
        place: Places,
        sizes: Places,
        edges: Edges | None = None,
    ) -> None:
        self._events = events
        self._place = place
        self.sizes = sizes
        self.edges = edges or {}
        self._starts = np.cumsum(sizes) - sizes
        self._number = np.repeat(np.arange(len(sizes)), sizes)
        self._values: dict[str, tuple[Places, Places]] = {}

    def __getitem__(self, name: str) -> Array:
        return self._events[name][self._place]

    def has(self, name: str) -> Flags:
        """Tell the events that have a name in this column."""
        return self._events.has(name)[self._place]

    def says(self, name: str, word: str) -> Flags:
        """Tell the events that have a word in this column."""
        return self._events.says(name, word)[self._place]

    @property
    def times(self) -> Places:
        """Microseconds since 1970 of the events."""
        return self._events.times[self._place]

    def count(self, flags: Flags) -> Places:
        """Count the events that are flagged."""
        return self.total(flags.astype(np.int64))

    def total(self, values: Array) -> Array:
        """Add up numbers that are all there."""
        return np.add.reduceat(values, self._starts) if len(self._starts) else values[:0]

    def highest(self, values: Array) -> Array:
        """Return the highest value."""
        return np.fmax.reduceat(values, self._starts) if len(self._starts) else values[:0]

    def lowest(self, values: Array) -> Array:
        """Return the lowest value."""
        return np.fmin.reduceat(values, self._starts) if len(self._starts) else values[:0]

    def sum(self, values: Floats) -> Floats:
        """Add up what there is."""
        there = ~np.isnan(values)
        found = self.total(np.where(there, values, 0.0))
        return np.where(self.count(there) > 0, found, np.nan)

    def mean(self, values: Array) -> Floats:
        """Return the mean of what there is."""
        numbers = np.asarray(values, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            return self.sum(numbers) / self.count(~np.isnan(numbers))

    def spread(self, values: Floats) -> Floats:
        """Return the standard deviation of what there is."""
        above = values - np.repeat(self.lowest(values), self.sizes)  # equal ones: exactly 0
        away = above - np.repeat(self.mean(above), self.sizes)
        return np.sqrt(self.mean(away**2))

    def median(self, values: Floats) -> Floats:
        """Return the median of what there is."""
        there = self.count(~np.isnan(values))
        by_size = values[np.lexsort((values, self._number))]  # NaN last
        middle = self._starts + np.maximum(there - 1, 0) // 2
        upper = self._starts + np.minimum(there // 2, np.maximum(self.sizes - 1, 0))
        return np.where(there > 0, (by_size[middle] + by_size[upper]) / 2, np.nan)

    def different(self, name: str) -> Places:
        """Count the values of a column."""
        sequence, _ = self._tallied(name)
        return np.bincount(sequence, minlength=len(self.sizes))

    def commonest(self, name: str) -> Places:
        """Count the events with the commonest value of a column."""
        sequence, times = self._tallied(name)
        found = np.zeros(len(self.sizes), dtype=np.int64)
        np.maximum.at(found, sequence, times)
        return found

    def filled(self, name: str) -> Places:
        """Count the events with a value in a column."""
        sequence, times = self._tallied(name)
        return np.bincount(sequence, weights=times, minlength=len(self.sizes)).astype(np.int64)

    def _tallied(self, name: str) -> tuple[Places, Places]:
        """Return each value of each sequence: the sequence, and in how many of its events it is."""
        if name not in self._values:
            values = self[name]
            is_there = ~np.isnan(values) if values.dtype.kind == "f" else values >= 0
            numbers = values[is_there]
            if numbers.dtype.kind == "f":
                numbers = pd.factorize(numbers)[0]
            width = int(numbers.max(initial=0)) + 1
            keys, times = np.unique(self._number[is_there] * width + numbers, return_counts=True)
            self._values[name] = keys // width, times
        return self._values[name]

    def busiest_hour(self, name: str) -> Floats:
        """Return the most events per value of a column within an hour.

        An hour begins with an event, as in the rule that marketplaces have for fake orders (orders
        by distinct buyers of an hour, Shopee Code League 2020): hours that end with an event would
        include what came before a burst. It never goes beyond its sequence.
        """
        times, known = self.times, self.has(name)
        pair = numbered(self._number, self[name])
        begins, ends = Order(pair, times, np.argsort(pair, kind="stable")).stays()
        hours = Order(self._number, times, None)
        events = hours.sum_ahead(known, known, HOUR)
        return self.highest(share(events, hours.sum_ahead(begins & known, ends & known, HOUR)))
