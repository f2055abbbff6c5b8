"""What cannot happen in a shop, or would be read otherwise than meant: warned of, not forbidden."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from core.explain.edits import ORIGIN, Edits
from core.fields import OTHER
from core.logs.fact import numeric_columns, plain
from core.logs.facts import event_facts
from core.logs.mapping import Mapping
from core.schema import Column
from core.tokens import Tokenizer

_REFUND: Final = re.compile(r"refund|return|chargeback|退款|退货|退貨", re.IGNORECASE)
_PAYMENT: Final = re.compile(r"\bpay|_pay|paid|支付|付款", re.IGNORECASE)
_PURCHASE: Final = re.compile(
    r"order|purchas|buy|bought|transaction|checkout|sale|购买|購買|下单|下單", re.IGNORECASE
)


def warnings(
    edits: Edits,
    before: pd.DataFrame,
    after: pd.DataFrame,
    sequence_id: str,
    mapping: Mapping,
    tokenizer: Tokenizer,
    *,
    actions: Sequence[str],
) -> list[str]:
    """Return what is odd about edited events and was not odd before, in sentences.

    Parameters
    ----------
    before, after
        All of the actor's events, in order; `after` as `core.explain.edits.apply` gives them.
    actions
        The commonest of the log.
    """
    mine = after[after[Column.SEQUENCE] == sequence_id]
    was = before[before[Column.SEQUENCE] == sequence_id]
    touched = mine[mine[ORIGIN].isna() | mine[ORIGIN].isin(list(edits.change))]
    found = [
        *_refunds(before, after, sequence_id, actions),
        *_overtaken(edits, mine),
        *_cut(mine, mapping),
    ]
    if touched.empty:
        return found
    return [
        *found,
        *_unread(was, touched, mapping, tokenizer),
        *_unknown(touched, mapping),
        *_negative(was, touched, mapping),
    ]


def named(event: "pd.Series[Any]") -> str:
    """Return what an event is called: by its place before the edits, as the page numbers it."""
    if pd.isna(event[ORIGIN]):
        return f"the added {event[Column.ACTION]}"
    return f"event {int(event[ORIGIN]) + 1}"


def _refunds(
    before: pd.DataFrame, after: pd.DataFrame, sequence_id: str, actions: Sequence[str]
) -> Iterator[str]:
    """Tell of refunds that nothing was paid for, unless they were so before the edits."""
    pays = next((p for p in (_PAYMENT, _PURCHASE) if any(map(p.search, actions))), None)
    if pays is None:
        return
    was = before[before[Column.SEQUENCE] == sequence_id]
    unpaid = set(was[Column.POSITION][was.index.isin(_unpaid(before, pays))])
    for index in _unpaid(after, pays):
        event = after.loc[index]
        if event[Column.SEQUENCE] == sequence_id and event[ORIGIN] not in unpaid:
            action = event[Column.ACTION]
            yield f"{_capital(named(event))}: {action}, but nothing was paid before it."


def _unpaid(events: pd.DataFrame, pays: re.Pattern[str]) -> list[Any]:
    """Return the refunds without a payment before them, on the same item where both name one."""
    paid: set[Any] = set()
    found = []
    columns = (events[name].tolist() for name in (Column.ACTION, Column.ITEM))
    for index, action, item in zip(events.index, *columns, strict=True):
        if _REFUND.search(str(action)):
            if not paid or (pd.notna(item) and None not in paid and item not in paid):
                found.append(index)
        elif pays.search(str(action)):
            paid.add(item if pd.notna(item) else None)
    return found


def _overtaken(edits: Edits, mine: pd.DataFrame) -> Iterator[str]:
    """Tell of events whose new time puts them before events that came earlier."""
    origin = mine[ORIGIN].to_numpy(dtype=float)
    for index, values in edits.change.items():
        if Column.TIME not in values or index not in origin:
            continue
        place = int(np.flatnonzero(origin == index)[0])
        later, sooner = origin[:place] > index, origin[place + 1 :] < index
        if later.any():
            passed = int(np.nanmax(origin[:place][later])) + 1
            yield f"Event {index + 1} now happens after event {passed}, which followed it."
        if sooner.any():
            passed = int(np.nanmin(origin[place + 1 :][sooner])) + 1
            yield f"Event {index + 1} now happens before event {passed}, which preceded it."


def _cut(mine: pd.DataFrame, mapping: Mapping) -> Iterator[str]:
    """Tell of pauses at which an import would begin a further sequence."""
    if mapping.sequence.by != "gap" or mapping.roles.time is None:
        return
    most = mapping.sequence.gap_minutes
    minutes = mine[Column.TIME].diff().dt.total_seconds() / 60
    for index in minutes.index[minutes > most]:
        yield (
            f"{_capital(named(mine.loc[index]))} follows {minutes[index]:,.0f} minutes after the "
            f"one before it: an import would begin a new sequence there (after {most:g})."
        )


def _unread(
    was: pd.DataFrame, touched: pd.DataFrame, mapping: Mapping, tokenizer: Tokenizer
) -> Iterator[str]:
    """Tell of values without a token: of categories, and of numbers with few distinct values."""
    for field in tokenizer.fields:
        if field.level != "event" or field.column not in touched:
            continue
        column = touched[field.column]
        new = column[~column.isin(was[field.column]) & column.notna()]
        if field.kind == "category":
            rare = new[field.encode(new) == OTHER]
            read = dict.fromkeys(rare, "a rare one")
        elif field.discrete and field.column in numeric_columns(mapping):
            rare = new[~new.isin(field.edges)]
            tokens = np.array(field.tokens())[field.encode(rare)]
            printed = (f"{value:.15g}" for value in rare)
            read = dict(zip(printed, map(field.spoken, tokens), strict=True))
        else:
            continue
        for value in sorted(read):
            yield (
                f"The model has never learned the {plain(field.column)} '{value}': "
                f"it reads it as {read[value]}."
            )


def _unknown(touched: pd.DataFrame, mapping: Mapping) -> Iterator[str]:
    """Tell of values that nobody in the log has."""
    facts: dict[str, list[str]] = {}
    for fact in event_facts(mapping):
        if fact.of is not None and not fact.name.endswith("_vs_item"):
            facts.setdefault(fact.of, []).append(fact.name)
    for of, names in facts.items():
        nowhere = touched[of].notna() & touched[names].isna().all(axis=1)
        for value in sorted(set(touched[of][nowhere])):
            yield (
                f"The log knows no {plain(of)} '{value}': what others did with it "
                "counts as missing."
            )


def _negative(was: pd.DataFrame, touched: pd.DataFrame, mapping: Mapping) -> Iterator[str]:
    """Tell of negative numbers in columns of the sequence that had none."""
    for name in numeric_columns(mapping):
        if not (was[name] < 0).any():
            for _, event in touched[touched[name] < 0].iterrows():
                yield f"{_capital(named(event))} has a negative {plain(name)}."


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]
