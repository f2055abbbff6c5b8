"""Edits of a sequence: which events are left out, changed, moved or added, and what comes of it."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import BadInput
from core.logs.facts import event_facts, numeric_columns
from core.logs.mapping import Mapping, extra_columns
from core.schema import DEFAULT_ACTION, Column

Value = str | int | float | None
LookUp = Callable[[str, str, pd.Timestamp | None], "pd.Series[Any] | None"]

# An event's position before the edits, missing where it was added; no log's column is named so.
ORIGIN: Final = "@origin"
POSITION: Final = Column.POSITION  # where to stand: 1.5 is between the events at 1 and 2
ALONE: Final = 60.0  # seconds to the next event where a sequence has one only


class Edits(BaseModel):
    """What is done to a sequence; events are named by their position in it, from 0.

    An event that is moved or added without a time gets one between those it comes to stand at.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    delete: list[int] = []
    change: dict[int, dict[str, Value]] = {}  # of the event at a position: column -> value
    insert: list[dict[str, Value]] = []  # column -> value

    def __bool__(self) -> bool:
        return bool(self.delete or self.change or self.insert)


def parse_edits(text: str | bytes) -> Edits:
    """Read edits from JSON.

    Raises
    ------
    BadInput
        Says which part is wrong and what is accepted.
    """
    try:
        return Edits.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise BadInput(
            f"The edits cannot be used: {place + ': ' if place else ''}{first['msg']}. Accepted: "
            '{"delete": [3], "change": {"0": {"amount": 9.5}}, "insert": [{"position": 1.5, '
            '"action": "view"}]}; positions count from 0.'
        ) from error


def editable_columns(mapping: Mapping) -> list[str]:
    """Return the columns of an event that an edit may change: those its facts are made of."""
    roles = mapping.roles
    named = {
        Column.TIME: roles.time,
        Column.ACTION: roles.action,
        Column.ITEM: roles.item,
        Column.AMOUNT: roles.amount,
    }
    return [name for name, source in named.items() if source] + list(extra_columns(mapping))


def apply(
    edits: Edits,
    events: pd.DataFrame,
    sequence_id: str,
    mapping: Mapping,
    look_up: LookUp = lambda column, value, at: None,
) -> pd.DataFrame:
    """Return an actor's events, edited, in their order, with the column `ORIGIN`.

    Facts of scope `actor` are left for `core.logs.measuring`. Those of scope `log` stay; of what
    is new in the sequence they are taken from the nearest event with the same value: the actor's,
    or else what `look_up` finds for column, value and time, or else they are missing.

    Parameters
    ----------
    events
        All of the actor's.

    Raises
    ------
    BadInput
        If an edit names an event or column that is not there or a value that cannot be read,
        leaves no event, or makes the sequence longer than the log's longest.
    """
    mine = events[Column.SEQUENCE] == sequence_id
    own, others = events[mine].reset_index(drop=True), events[~mine]
    _check(edits, len(own), mapping)
    rows = _written(edits, own, mapping)
    moved = _moved(edits, rows)
    place = _places(edits, rows, own, moved)
    if mapping.roles.time:
        rows = _timed(rows, place, own, untimed=_untimed(edits, rows, moved))
    _borrow(edits, rows, events, mapping, look_up)
    edges = _stretched(own[Column.ROW].to_numpy(dtype=float), 0.5)
    row = np.concatenate([others[Column.ROW], np.interp(place, *edges)])
    whole = pd.concat([others.assign(**{ORIGIN: np.nan}), rows], ignore_index=True)
    whole[Column.ROW] = np.argsort(np.argsort(row, kind="stable"), kind="stable") + 1
    whole = whole.sort_values([Column.TIME, Column.ROW], ignore_index=True)
    mine = whole[Column.SEQUENCE] == sequence_id
    position = np.where(mine, mine.cumsum() - 1, whole[Column.POSITION])
    return whole.assign(**{Column.POSITION: position.astype(np.int64)})


def _check(edits: Edits, events: int, mapping: Mapping) -> None:
    """Refuse what cannot be done to a sequence of so many events."""
    for position in sorted({*edits.delete, *edits.change}):
        if not 0 <= position < events:
            raise BadInput(
                f"There is no event {position}: the sequence has {events}, named 0 to {events - 1}."
            )
    left = events - len(set(edits.delete)) + len(edits.insert)
    if left == 0:
        raise BadInput("The edits leave no event. Keep at least one: nothing cannot be scored.")
    most = mapping.sequence.max_events
    if left > max(most, events):
        raise BadInput(
            f"The edits make the sequence {left} events long. A sequence of this log has at most "
            f"{most}; an import would cut it. Delete {left - most} events, or add fewer."
        )
    accepted = [POSITION, *editable_columns(mapping)]
    for values in (*edits.change.values(), *edits.insert):
        if unknown := sorted(set(values) - set(accepted)):
            raise BadInput(
                f"An event has no '{unknown[0]}' to edit. Accepted: {', '.join(accepted)}."
            )


def _written(edits: Edits, own: pd.DataFrame, mapping: Mapping) -> pd.DataFrame:
    """Return the sequence's events with the edits' values, what is added at the end."""
    rows = own.assign(**{ORIGIN: np.arange(len(own), dtype=float)})
    if edits.insert:
        steady = [name for name in extra_columns(mapping) if len(own[name].unique()) == 1]
        of_actor = [Column.SEQUENCE, Column.ACTOR, Column.SESSION, *steady]
        added = own.loc[[0] * len(edits.insert), of_actor]
        rows = pd.concat([rows, added], ignore_index=True)
    written = dict(edits.change)
    for number, values in enumerate(edits.insert):
        action = None if mapping.roles.action else DEFAULT_ACTION
        values = {Column.ACTION: action, **values}
        if values[Column.ACTION] is None:
            raise BadInput("An event that is added needs an action.")
        written[len(own) + number] = values
    for index, values in written.items():
        for name, value in values.items():
            if name != POSITION:
                rows.loc[index, name] = _read(name, value, mapping)
    return rows.drop(index=edits.delete)


def _read(name: str, value: Value, mapping: Mapping) -> Any:
    """Return a value as its column holds it."""
    if value is None or value == "":
        if name == Column.TIME:
            raise BadInput("An event of this log needs a time.")
        return None
    if name == Column.TIME:
        try:
            at = pd.Timestamp(value)
        except (ValueError, TypeError) as error:
            raise BadInput(
                f"'{value}' is no time. Accepted: such as 2026-01-31 18:05:00, in UTC."
            ) from error
        return at.tz_localize("UTC") if at.tzinfo is None else at.tz_convert("UTC")
    if name in numeric_columns(mapping):
        try:
            number = float(value)
        except ValueError as error:
            raise BadInput(f"'{value}' is no number; {name} needs one, such as 9.5.") from error
        if not np.isfinite(number):
            raise BadInput(f"{name} cannot be {value}; accepted: a number such as 9.5.")
        return number
    return str(value)


def _moved(edits: Edits, rows: pd.DataFrame) -> list[int]:
    """Return the kept events that are told where to stand, but not when."""
    told = [index for index, to in edits.change.items() if POSITION in to and Column.TIME not in to]
    return [index for index in told if index in rows.index]


def _untimed(edits: Edits, rows: pd.DataFrame, moved: list[int]) -> list[int]:
    return moved + [int(index) for index in rows.index[rows[Column.TIME].isna()]]


def _places(
    edits: Edits, rows: pd.DataFrame, own: pd.DataFrame, moved: list[int]
) -> npt.NDArray[np.float64]:
    """Return where each event stands among the positions before, (rows,)."""
    place = pd.Series(rows.index, index=rows.index, dtype=float)
    for index, values in edits.change.items():
        if index in rows.index and values.get(POSITION) is not None:
            place[index] = _number(values[POSITION])
    for number, values in enumerate(edits.insert):
        index = len(own) + number
        at = rows[Column.TIME].loc[index]
        if values.get(POSITION) is not None:
            place[index] = _number(values[POSITION])
        elif pd.notna(at):  # only tells it from others of the same moment
            place[index] = int((own[Column.TIME] <= at).sum()) - 0.5
    return place.to_numpy()


def _number(position: Value) -> float:
    try:
        number = float(position or 0)
    except ValueError as error:
        raise BadInput(f"'{position}' is no position. Accepted: a number such as 1.5.") from error
    if not np.isfinite(number):
        raise BadInput(f"'{position}' is no position. Accepted: a number such as 1.5.")
    return number


def _stretched(
    values: npt.NDArray[np.float64], step: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return positions and values, with one more at either end, a step away."""
    places = np.arange(-1.0, len(values) + 1)
    return places, np.concatenate([[values[0] - step], values, [values[-1] + step]])


def _timed(
    rows: pd.DataFrame,
    place: npt.NDArray[np.float64],
    own: pd.DataFrame,
    *,
    untimed: list[int],
) -> pd.DataFrame:
    """Give events that are moved or added without a time one between their neighbours'."""
    if not untimed:
        return rows
    times = own[Column.TIME]
    seconds = (times - times.iloc[0]).dt.total_seconds().to_numpy(copy=True)
    gaps = np.diff(seconds)
    step = float(np.median(gaps)) if len(gaps) else ALONE
    kept = [index for index in range(len(own)) if index in rows.index and index not in untimed]
    now = (rows.loc[kept, Column.TIME] - times.iloc[0]).dt.total_seconds()
    seconds[kept] = now.to_numpy()
    chosen = rows.index.isin(untimed)
    between = np.interp(place[chosen], *_stretched(seconds, max(step, 1.0)))
    unit = "s" if (times.dt.microsecond == 0).all() else "us"
    filled = times.iloc[0] + pd.to_timedelta(between, unit="s").floor(unit)
    result = rows[Column.TIME].copy()
    result[chosen] = filled
    return rows.assign(**{Column.TIME: result.astype(times.dtype)})


def _borrow(
    edits: Edits, rows: pd.DataFrame, events: pd.DataFrame, mapping: Mapping, look_up: LookUp
) -> None:
    """Fill the facts of scope `log` about values that are new in an event."""
    facts: dict[str, list[str]] = {}
    for fact in event_facts(mapping):
        if fact.of is not None:
            facts.setdefault(fact.of, []).append(fact.name)
    new = {index: set(values) for index, values in edits.change.items()}
    new |= {int(index): set(facts) for index in rows.index[rows[ORIGIN].isna()]}
    for index in sorted(set(new) & set(rows.index)):
        for of in sorted(new[index] & set(facts)):
            value, at = rows[of].loc[index], rows[Column.TIME].loc[index]
            at = None if pd.isna(at) else at
            donor = None if pd.isna(value) else _nearest(events, of, value, at)
            if donor is None and pd.notna(value):
                donor = look_up(of, str(value), at)
            names = facts[of]
            rows.loc[index, names] = np.nan if donor is None else donor[names].to_numpy(dtype=float)


def _nearest(
    events: pd.DataFrame, of: str, value: Any, at: pd.Timestamp | None
) -> "pd.Series[Any] | None":
    """Return the event with a value that is nearest in time, the first where there is none."""
    same = events[events[of] == value]
    if same.empty:
        return None
    place = 0 if at is None else int((same[Column.TIME] - at).abs().argmin())
    found: pd.Series[Any] = same.iloc[place]
    return found
