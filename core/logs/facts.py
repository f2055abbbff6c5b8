"""Facts of an event: what it needs from the rest of the log.

With a time, an event's facts come from itself and what came before it (by time, then by row).
Without one, only the actor's own order counts, and facts about others use the whole log without
the actor. `core.logs.measuring` computes them.
"""

from collections.abc import Callable

import numpy as np

from core.logs.fact import Bucketing, Fact, entity_columns, numeric_columns, plain
from core.logs.mapping import Mapping
from core.logs.ordered import HOUR, NOTHING, SECOND, Array, Events, Floats, Order, share
from core.logs.profiles import profile_facts
from core.schema import Column

__all__ = ["Fact", "entity_columns", "event_facts", "numeric_columns", "profile_facts"]

Compute = Callable[[Events], Array]

ACTOR, ACTION, ITEM = Column.ACTOR, Column.ACTION, Column.ITEM


def event_facts(mapping: Mapping) -> list[Fact]:
    """Return the facts of every event of a log with this mapping."""
    timed = mapping.roles.time is not None
    facts = [_own("nth", lambda e: e.by(ACTOR).turn(), "count", "event {value} so far")]
    if timed:
        facts += _pace_facts()
    if mapping.roles.action:
        facts.append(_own("repeat_action", lambda e: e.by(ACTOR).run(e[ACTION]), "count",
                          "{value} equal actions in a row"))  # fmt: skip
    if mapping.roles.item:
        facts += _item_facts(timed)
        facts += [_against_item(column, timed) for column in numeric_columns(mapping)]
    for entity in entity_columns(mapping):
        facts += _entity_facts(entity, timed)
    return [fact for fact in facts if mapping.facts == "all" or fact.of is None]


def _own(name: str, compute: Compute, bucketing: Bucketing, words: str,
         values: tuple[str, ...] = ()) -> Fact:  # fmt: skip
    """Return a fact about the actor's own events."""
    return Fact(name, compute, "actor", bucketing, words, values=values)


def _others(of: str, name: str, compute: Compute, bucketing: Bucketing, words: str) -> Fact:
    """Return a fact about everybody's events with the same value of column `of`."""
    return Fact(name, compute, "log", bucketing, words, of)


def _where(column: str, compute: Compute) -> Compute:
    """Return what is nothing for events without a name in the column."""
    return lambda e: np.where(e.has(column), compute(e), np.nan)


def _recent(*group: str, seconds: int = HOUR) -> Compute:
    return lambda e: e.by(*group).within(seconds)


def _turn(*group: str) -> Compute:
    return lambda e: e.by(*group).turn()


def _pace_facts() -> list[Fact]:
    return [
        _own("gap", lambda e: e.by(ACTOR).since_previous() / SECOND, "seconds",
             "{value} since the previous event"),
        _own("burst_10s", _recent(ACTOR, seconds=10), "count", "{value} events within 10 seconds"),
        _own("burst_1m", _recent(ACTOR, seconds=60), "count", "{value} events within a minute"),
        _own("actor_1h", _recent(ACTOR), "count", "{value} events within an hour"),
        _own("hour", lambda e: e.times // (HOUR * SECOND) % 24, "category", "at hour {value} UTC",
             tuple(map(str, range(24)))),
    ]  # fmt: skip


def _same_item(e: Events) -> Array:
    same = e[ITEM] == e.by(ACTOR).previous(e[ITEM], missing=NOTHING)
    return np.where(e.has(ITEM), same, NOTHING)


def _item_facts(timed: bool) -> list[Fact]:
    facts = [
        _own("same_item", _same_item, "category", "same item as just before: {value}",
             ("no", "yes")),
        _own("item_own", _where(ITEM, _turn(ACTOR, ITEM)), "count",
             "this actor's event {value} on the item"),
    ]  # fmt: skip
    if not timed:
        return facts + _shared_in_whole_log(ITEM, "item")
    return [
        *facts,
        _own("items_1h", lambda e: e.different(ITEM, ACTOR), "count",
             "{value} different items within an hour"),
        _others(ITEM, "item_seen", _seen(ITEM), "count",
                "{value} earlier events of others on the item"),
        _others(ITEM, "item_events_1h", _recent(ITEM), "count",
                "{value} events on the item within an hour"),
        _others(ITEM, "item_actors_1h", lambda e: e.different(ACTOR, ITEM), "count",
                "{value} actors on the item within an hour"),
        _others(ITEM, "item_ratio_1h", lambda e: e["item_events_1h"] / e["item_actors_1h"], "ratio",
                "{value} events per actor on the item within an hour"),
    ]  # fmt: skip


def _seen(name: str) -> Compute:
    """Count the earlier events of others with the same value."""
    return lambda e: e.by(name).turn() - e.by(ACTOR, name).turn()


def _shared_in_whole_log(name: str, noun: str) -> list[Fact]:
    def actors(e: Events) -> Array:
        return e.by(name).total(e.by(ACTOR, name).turn() == 1) - 1

    return [
        _others(name, f"{name}_seen", lambda e: e.by(name).size() - e.by(ACTOR, name).size(),
                "count", f"{{value}} events of others with this {noun}"),
        _others(name, f"{name}_actors", actors, "count",
                f"{{value}} other actors with this {noun}"),
    ]  # fmt: skip


def _entity_facts(name: str, timed: bool) -> list[Fact]:
    noun = plain(name)
    own = _own(f"{name}_own", _where(name, _turn(ACTOR, name)), "count",
               f"this actor's event {{value}} with this {noun}")  # fmt: skip
    if not timed:
        return [own, *_shared_in_whole_log(name, noun)]

    def actors(e: Events) -> Array:
        return e.by(name).sum_in_group(e.by(ACTOR, name).turn() == 1)

    return [
        own,
        _own(f"{name}_1h", _where(name, _recent(ACTOR, name)), "count",
             f"{{value}} events with this {noun} within an hour"),
        _own(f"{name}_distinct_1h", lambda e: e.different(name, ACTOR), "count",
             f"{{value}} different values of {noun} within an hour"),
        _own(f"{name}_ratio_1h", lambda e: share(e["actor_1h"], e[f"{name}_distinct_1h"]), "ratio",
             f"{{value}} events per {noun} within an hour"),
        _others(name, f"{name}_actors", actors, "count",
                f"{{value}} actors with this {noun} so far"),
        _others(name, f"{name}_seen", _seen(name), "count",
                f"{{value}} earlier events of others with this {noun}"),
    ]  # fmt: skip


def _usual(name: str, timed: bool) -> Callable[[Events], Floats]:
    """Return the mean that others had of the event's item: before it, or without times ever."""

    def mean(e: Events) -> Floats:
        item, own = e.by(ITEM), e.by(ACTOR, ITEM)
        told = ~np.isnan(e[name])
        values = np.where(told, e[name], 0.0)
        add = Order.sum_in_group if timed else Order.total
        others = [add(item, x) - add(own, x) for x in (values, told.astype(np.int64))]
        return share(*others)

    return mean


def _against_item(name: str, timed: bool) -> Fact:
    """Compare with the mean of others: a price as a multiple, a rating as a difference."""
    usual, noun = _usual(name, timed), plain(name)

    def multiple(e: Events) -> Floats:
        mean = usual(e)
        return share(e[name], np.where(np.abs(mean) > 1e-9, mean, 0)).round(6)

    if name == Column.AMOUNT:
        words = "amount {value} times the item's usual"
        return _others(ITEM, f"{name}_vs_item", multiple, "ratio", words)
    words = f"{noun} {{value}} from what others gave the item"
    return _others(
        ITEM, f"{name}_vs_item", lambda e: (e[name] - usual(e)).round(6), "number", words
    )
