"""Fields: how a column of events, or of sequences' profiles, becomes tokens a person can read.

A field knows, once fitted, every token it can produce: ``gap<2s``, ``price~20-50``,
``action=cart``, ``item=#3`` (the third distinct item of this sequence), ``field=other``,
``field=missing``.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.logs.facts import Fact, event_facts, profile_facts
from core.logs.mapping import Mapping, extra_columns
from core.schema import MAX_VALUES, MIN_COUNT, Column

Kind = Literal["category", "entity", "relative", "count", "seconds", "ratio", "number", "text"]
Level = Literal["profile", "event"]
Ids = npt.NDArray[np.int32]

MISSING: Final = 0  # position of `field=missing` among a field's tokens, in every field
OTHER: Final = 1  # position of `field=other` in category and entity fields
RELATIVE_CAP: Final = 16  # distinct values of an entity told apart within a sequence
MAX_BINS: Final = 12  # of a number; a number with no more distinct values keeps each of them
_LARGEST: Final = 1e300  # what lies beyond is not told apart: its quantiles would overflow

_DAY = 86_400
_EDGES: Final[dict[str, list[float]]] = {
    "count": [1, 2, 3, *(2**power + 1 for power in range(2, 17))],
    "seconds": [
        1,
        2,
        5,
        10,
        30,
        60,
        120,
        300,
        900,
        3600,
        6 * 3600,
        _DAY,
        3 * _DAY,
        7 * _DAY,
        30 * _DAY,
    ],
    "ratio": [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5, 2, 2.5, 3, 4, 6, 10],
}


@dataclass(frozen=True)
class Field:
    """One kind of token. `values` and `edges` are what fitting learned."""

    name: str
    column: str
    level: Level
    kind: Kind
    words: str  # plain English around "{value}"
    values: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()
    discrete: bool = False  # the number has so few values that each edge is one of them

    def tokens(self) -> list[str]:
        """Return every token of the field; ids within the field are positions in this list."""
        names = [f"{self.name}=missing"]
        if self.kind == "relative":
            return names + [f"{self.name}=#{k}" for k in range(1, RELATIVE_CAP + 1)]
        if self.kind == "text":
            return names + [f"{self.name}:{value}" for value in self.values]
        if self.kind in ("category", "entity"):
            return [
                *names,
                f"{self.name}=other",
                *(f"{self.name}={value}" for value in self.values),
            ]
        return names + [f"{self.name}{label}" for label in self._bin_labels()]

    def sentence(self, token: str) -> str:
        """Say a token of this field in plain words."""
        value = token.removeprefix(self.name)
        if value == "=missing":
            return f"{self.name.replace('_', ' ')} is missing"
        if value == "=other" and self.kind in ("category", "entity"):
            return self.words.replace("{value}", "a rare value")
        if self.kind in ("category", "entity", "text"):
            return self.words.replace("{value}", value[1:])
        return _plain(self.words.replace("{value}", self.spoken(token)))

    def spoken(self, token: str) -> str:
        """Say the value of a token; empty if it is missing."""
        value = token.removeprefix(self.name)
        if value == "=missing":
            return ""
        if self._is_share:
            value = _as_percent(value)
        # -12 to -9: -12--9 is not to be read.
        value = re.sub(r"^~(-[\d.]+(?:e[-+]\d+)?[^-\d]*)-", r"\1 to ", value)
        return value.lstrip("=~").replace(">=", "at least ").replace("<", "under ")

    def edge(self, number: int, *, last: bool = False) -> str:
        """Say an edge between bins: the first value above it or, of a count, the `last` below."""
        value = self.edges[number] - (last and self.kind == "count")
        if self.kind == "seconds":
            return _duration(value)
        return f"{value * 100:g} %" if self._is_share else _number(value)

    @property
    def _is_share(self) -> bool:
        return self.kind == "ratio" and self.name.endswith("_share")

    def encode(self, column: pd.Series) -> Ids:
        """Return ids within the field of a column's values (not for relative and text fields)."""
        if self.is_number:
            return self.bins(column.to_numpy(dtype=np.float64, na_value=np.nan))
        ids = self._index.get_indexer(pd.Index(column, dtype="object")) + 2
        ids[ids == 1] = OTHER
        ids[column.isna().to_numpy()] = MISSING
        return ids.astype(np.int32)

    def bins(self, numbers: npt.NDArray[np.float64]) -> Ids:
        """Return ids within the field of numbers."""
        ids = np.searchsorted(self._edges, numbers, side="right") + 1
        ids[np.isnan(numbers)] = MISSING
        return ids.astype(np.int32)

    @property
    def is_number(self) -> bool:
        """Whether the field's values are numbers."""
        return self.kind in ("count", "seconds", "ratio", "number")

    @cached_property
    def _edges(self) -> npt.NDArray[np.float64]:
        return np.asarray(self.edges, dtype=np.float64)

    @cached_property
    def _index(self) -> pd.Index:
        return pd.Index(self.values, dtype="object")

    def _bin_labels(self) -> list[str]:
        show = _duration if self.kind == "seconds" else _number
        if self.kind == "count":
            return ["=0", *_count_labels(self.edges)]
        if self.discrete:
            return [f"<{show(self.edges[0])}", *(f"={show(edge)}" for edge in self.edges)]
        between = [
            f"~{show(low)}-{show(high)}"
            for low, high in zip(self.edges, self.edges[1:], strict=False)
        ]
        if not self.edges:
            return ["=any"]
        return [f"<{show(self.edges[0])}", *between, f">={show(self.edges[-1])}"]


def fields_of(mapping: Mapping, actions: Sequence[str]) -> list[Field]:
    """Return the unfitted fields of a log: its profile first, then what every event carries."""
    profile = [_of_fact(fact, "profile") for fact in profile_facts(mapping, list(actions))]
    own = [Field("action", Column.ACTION, "event", "category", "the action is {value}")]
    if mapping.roles.item:
        own += _entity_fields(Column.ITEM)
        own.append(Field("item.id", Column.ITEM, "event", "entity", "the item is {value}"))
    if mapping.roles.amount:
        own.append(Field("amount", Column.AMOUNT, "event", "number", "the amount is {value}"))
    for name, kind in extra_columns(mapping).items():
        said = f"{name.replace('_', ' ')} is {{value}}"
        if kind in ("entity", "personal"):
            own += _entity_fields(name)
        elif kind in ("categorical", "numeric", "text"):
            field_kind: Kind = {"categorical": "category", "numeric": "number"}.get(kind, "text")  # type: ignore[assignment]
            own.append(Field(name, name, "event", field_kind, said))
    own += [_of_fact(fact, "event") for fact in event_facts(mapping)]
    # A column of the log may be called like a fact of the profile: tokens must stay apart.
    taken = {field.name for field in profile}
    return profile + [
        replace(field, name=f"event.{field.name}") if field.name in taken else field
        for field in own
    ]


def fit(field: Field, column: pd.Series) -> Field:
    """Learn a field's values or edges from a (sample of a) column."""
    if field.kind in ("category", "entity"):
        counts = column.value_counts()
        # A value that reads like a token of its own kind would make two tokens one.
        counts = counts[~counts.index.isin(["missing", "other"])]
        frequent = counts[counts >= MIN_COUNT[field.kind]]
        # Ties of counts would otherwise depend on the order of the log.
        order = sorted(frequent.items(), key=lambda pair: (-pair[1], str(pair[0])))
        most = MAX_VALUES[field.kind]
        return replace(field, values=tuple(str(value) for value, _ in order[:most]))
    if field.kind == "number":
        return _fit_number(field, column)
    return replace(field, edges=tuple(_EDGES.get(field.kind, ())))


def relative_ids(sequence: Ids, column: pd.Series) -> Ids:
    """Return the place of each value among its sequence's distinct ones: 1, 2, ... (0: missing).

    `sequence` numbers the sequence of each row and never falls.
    """
    codes, distinct = pd.factorize(column)
    present = np.flatnonzero(codes >= 0)
    pair = sequence[present].astype(np.int64) * max(len(distinct), 1) + codes[present]
    _, first, which = np.unique(pair, return_index=True, return_inverse=True)
    order = np.argsort(first)  # of the pairs, by when they come up
    owner = sequence[present][first[order]]
    nth = np.empty(len(order), dtype=np.int64)
    nth[order] = np.arange(len(order)) - np.searchsorted(owner, owner) + 1
    ids = np.zeros(len(codes), dtype=np.int32)
    ids[present] = np.minimum(nth[which], RELATIVE_CAP)
    return ids


def _entity_fields(column: str) -> list[Field]:
    said = f"{column.replace('_', ' ')} {{value}} of this sequence"
    return [Field(column, column, "event", "relative", said)]


def _of_fact(fact: Fact, level: Level) -> Field:
    kind: Kind = "category" if fact.bucketing == "category" else fact.bucketing
    return Field(fact.name, fact.name, level, kind, fact.words)


def _fit_number(field: Field, column: pd.Series) -> Field:
    numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    numbers = np.clip(numbers[np.isfinite(numbers)], -_LARGEST, _LARGEST) + 0.0  # -0 is 0
    # Means of one price differ in their last bits: what prints alike is one value, from its least.
    least: dict[str, float] = {}
    for value in np.unique(numbers).tolist():
        least.setdefault(_number(value), value)
        if len(least) > MAX_BINS:
            break
    else:
        return replace(field, edges=tuple(least.values()), discrete=bool(least))
    quantiles = np.quantile(numbers, np.linspace(0, 1, MAX_BINS + 1)[1:-1])
    for digits in range(2, 16):  # as few as tell the edges apart
        edges = {_significant(value, digits) for value in quantiles}
        if len(edges) == len(set(map(_number, quantiles))):
            break
    return replace(field, edges=tuple(sorted(edges)))


def _significant(value: float, digits: int) -> float:
    if value == 0:
        return 0.0
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))


def _as_percent(label: str) -> str:
    """Say a share's range in percent; whatever reaches 1 is all of it."""
    if re.match(r"~1-|>=", label):
        return "all"
    return re.sub(r"[\d.]+", lambda found: f"{float(found[0]) * 100:g}", label) + " %"


def _plain(sentence: str) -> str:
    """Put the words after a number right: no cart, 1 event, 2 events."""
    sentence = re.sub(r"^0 (times )?(?=\w)", "no ", sentence)
    return re.sub(r"^(1 (?:different |other |earlier |equal )?\w+)s\b", r"\1", sentence)


def _number(value: float) -> str:
    return f"{value:.15g}"


def _duration(seconds: float) -> str:
    for size, unit in ((_DAY, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def _count_labels(edges: Sequence[float]) -> list[str]:
    labels = []
    for low, high in zip(edges, [*edges[1:], math.inf], strict=True):
        if math.isinf(high):
            labels.append(f">={low:g}")
        else:
            labels.append(f"={low:g}" if high == low + 1 else f"~{low:g}-{high - 1:g}")
    return labels
