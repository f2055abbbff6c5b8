"""Facts of a whole sequence: its profile. See `core.logs.facts` for those of an event."""

from collections.abc import Callable, Sequence

import numpy as np

from core.logs.companions import companion_facts
from core.logs.fact import Bucketing, Fact, entity_columns, numeric_columns, plain
from core.logs.mapping import Mapping, safe_name
from core.logs.ordered import HOUR, SECOND, Array, Floats, share
from core.logs.per_sequence import Sequences
from core.schema import Column

Compute = Callable[[Sequences], Array]

_NIGHT = 6 * HOUR * SECOND  # microseconds after midnight
_DAY = 24 * HOUR * SECOND


def profile_facts(mapping: Mapping, actions: Sequence[str]) -> list[Fact]:
    """Return the facts of every sequence; `actions` are the commonest of the log."""
    facts = [
        _of_sequence("events", lambda s: s.sizes, "count", "{value} events"),
        _of_sequence("actor_before", lambda s: s.lowest(s["nth"] - s["position"]) - 1, "count",
                     "{value} earlier events"),
    ]  # fmt: skip
    if mapping.roles.time:
        facts[1:1] = _pace_profile()
    if mapping.roles.action:
        facts += _action_profile(actions)
    if mapping.roles.item:
        facts += [*_item_profile(mapping.facts == "all"), *companion_facts(mapping)]
    for column in numeric_columns(mapping):
        facts += _number_profile(column, mapping.roles.item is not None and mapping.facts == "all")
    for entity in entity_columns(mapping):
        facts += _entity_profile(entity, mapping)
    return facts


def action_names(actions: Sequence[str]) -> dict[str, str]:
    """Return the names of the facts that count actions: action -> name."""
    names: dict[str, str] = {}
    for action in actions:
        base = name = f"count_{safe_name(action)[:40].strip('_')}"
        again = 1
        while name in names.values():
            again += 1
            name = f"{base}_{again}"
        names[action] = name
    return names


def _of_sequence(name: str, compute: Compute, bucketing: Bucketing, words: str) -> Fact:
    return Fact(name, compute, "sequence", bucketing, words)


def _mean(name: str) -> Compute:
    return lambda s: s.mean(s[name])


def _highest(name: str) -> Compute:
    return lambda s: s.highest(s[name])


def _pace_profile() -> list[Fact]:
    def inside(s: Sequences) -> Floats:
        """Return the gaps between events of the sequence."""
        return np.where(s["position"] > 0, s["gap"], np.nan)

    def duration(s: Sequences) -> Floats:
        return (s.highest(s.times) - s.lowest(s.times)) / SECOND

    return [
        _of_sequence("duration", duration, "seconds", "{value} from the first to the last event"),
        _of_sequence("median_gap", lambda s: s.median(inside(s)), "seconds",
                     "{value} typically between events"),
        _of_sequence("shortest_gap", lambda s: s.lowest(inside(s)), "seconds",
                     "{value} at least between events"),
        _of_sequence("gap_spread", lambda s: share(s.spread(inside(s)), s.mean(inside(s))),
                     "ratio", "gaps vary by {value} of their mean"),
        _of_sequence("longest_burst", _highest("burst_1m"), "count",
                     "up to {value} events within a minute"),
        _of_sequence("busiest_hour", _highest("actor_1h"), "count",
                     "up to {value} events within an hour"),
        _of_sequence("night_share", lambda s: s.mean(s.times % _DAY < _NIGHT), "ratio",
                     "{value} of events between 0 and 6 UTC"),
    ]  # fmt: skip


def _times(action: str) -> Compute:
    return lambda s: s.count(s.says(Column.ACTION, action))


def _action_profile(actions: Sequence[str]) -> list[Fact]:
    counts = [
        _of_sequence(name, _times(action), "count",
                     f"{{value}} times {' '.join(action.split()[:8])}")
        for action, name in action_names(actions).items()
    ]  # fmt: skip
    return [
        _of_sequence("actions", lambda s: s.different("action"), "count",
                     "{value} different actions"),
        _of_sequence("top_action_share", lambda s: s.commonest("action") / s.sizes, "ratio",
                     "{value} of events are the same action"),
        _of_sequence("longest_run", _highest("repeat_action"), "count",
                     "up to {value} equal actions in a row"),
        *counts,
        Fact("pattern_count", None, "log", "count",
             "{value} other sequences with these counts of actions"),
    ]  # fmt: skip


def _item_profile(others: bool) -> list[Fact]:
    facts = [
        _of_sequence("items", lambda s: s.different("item"), "count", "{value} different items"),
        _of_sequence("items_per_event", lambda s: share(s.different("item"), s.filled("item")),
                     "ratio", "{value} different items per event on an item"),
        _of_sequence("most_on_item", _highest("item_own"), "count",
                     "up to {value} events on one item"),
    ]  # fmt: skip
    about_others = [
        _of_sequence("mean_item_seen", _mean("item_seen"), "count",
                     "items had {value} events of others on average"),
        _of_sequence("least_item_seen", lambda s: s.lowest(s["item_seen"]), "count",
                     "the rarest item had {value} events of others"),
        _of_sequence("most_item_seen", _highest("item_seen"), "count",
                     "the commonest item had {value} events of others"),
        _of_sequence("rare_item_share", lambda s: s.mean(s["item_seen"] < 3), "ratio",
                     "{value} of events on items others hardly touched"),
    ]  # fmt: skip
    return facts + about_others if others else facts


def _number_profile(name: str, against_items: bool) -> list[Fact]:
    noun = plain(name)

    def at_edge(end: int) -> Compute:
        def compute(s: Sequences) -> Floats:
            at = np.where(np.isnan(s[name]), np.nan, s[name] == s.edges[name][end])
            return s.mean(at)

        return compute

    facts = [
        _of_sequence(f"{name}_mean", _mean(name), "number", f"mean {noun} {{value}}"),
        _of_sequence(f"{name}_spread", lambda s: s.spread(s[name]), "number",
                     f"{noun} varies by {{value}}"),
        _of_sequence(f"{name}_same_share", lambda s: share(s.commonest(name), s.filled(name)),
                     "ratio", f"{{value}} of events have the same {noun}"),
        Fact(f"{name}_top_share", at_edge(1), "log", "ratio",
             f"{{value}} of events have the highest {noun}"),
        Fact(f"{name}_bottom_share", at_edge(0), "log", "ratio",
             f"{{value}} of events have the lowest {noun}"),
    ]  # fmt: skip
    if not against_items:
        return facts
    against, usual = f"{name}_vs_item", 1 if name == Column.AMOUNT else 0
    return [
        *facts,
        _of_sequence(f"{against}_mean", _mean(against), "number",
                     f"{noun} differs from others' by {{value}} on average"),
        _of_sequence(f"{against}_size", lambda s: s.mean(np.abs(s[against] - usual)), "number",
                     f"{noun} is {{value}} away from others' on average"),
    ]  # fmt: skip


def _entity_profile(name: str, mapping: Mapping) -> list[Fact]:
    noun = plain(name)
    facts = [
        _of_sequence(f"{name}_distinct", lambda s: s.different(name), "count",
                     f"{{value}} different values of {noun}"),
        _of_sequence(f"{name}_most_own", _highest(f"{name}_own"), "count",
                     f"up to {{value}} events with one {noun}"),
    ]  # fmt: skip
    if mapping.facts == "all":
        shared = _of_sequence(f"{name}_most_actors", _highest(f"{name}_actors"), "count",
                              f"a {noun} shared by up to {{value}} actors")  # fmt: skip
        facts.insert(1, shared)
    if mapping.roles.time:
        facts.append(
            _of_sequence(f"{name}_top_hour_ratio", lambda s: s.busiest_hour(name), "ratio",
                         f"up to {{value}} events per {noun} within an hour")
        )  # fmt: skip
    return facts
