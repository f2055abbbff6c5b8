"""Facts of a whole sequence: its profile. See `core.logs.facts` for those of an event.

The one-row table `edges` has the lowest and highest value of each numeric column of the log.
"""

import re
from collections.abc import Sequence

from core.logs.companions import companion_facts
from core.logs.engine import literal, quoted
from core.logs.fact import Bucketing, Fact, entity_columns, numeric_columns, plain
from core.logs.mapping import Mapping, safe_name

# Tells a sequence's counts by action apart: comparing histograms takes eight times as long.
PATTERN = "sum(hash(action)) FILTER (action IS NOT NULL)"


def profile_facts(mapping: Mapping, actions: Sequence[str]) -> list[Fact]:
    """Return the facts of every sequence; `actions` are the commonest of the log."""
    facts = [_of_sequence("events", "count(*)", "count", "{value} events")]
    if mapping.roles.time:
        facts += _pace_profile()
    facts.append(
        _of_sequence("actor_before", "min(nth - position) - 1", "count", "{value} earlier events")
    )
    if mapping.roles.action:
        facts += _action_profile(actions)
    if mapping.roles.item:
        facts += [*_item_profile(), *companion_facts(mapping)]
    for column in numeric_columns(mapping):
        facts += _number_profile(column, mapping.roles.item is not None)
    for entity in entity_columns(mapping):
        facts += _entity_profile(entity, mapping.roles.time is not None)
    if mapping.facts == "all":
        return facts
    about_others = {f"{name}_{end}" for name in ("item", *entity_columns(mapping))
                    for end in ("seen", "actors")}  # fmt: skip
    about_others |= {f"{name}_vs_item" for name in numeric_columns(mapping)}
    return [fact for fact in facts if not about_others & set(re.findall(r"\w+", fact.sql))]


def with_hours(mapping: Mapping, events: str, sequence: str) -> str:
    """Return SQL of `events`, with the columns that facts of an hour need, if there are any.

    An hour begins with an event, as in the rule that marketplaces have for fake orders (orders by
    distinct buyers of an hour, Shopee Code League 2020): hours that end with an event would include
    what came before a burst. It never goes beyond its sequence; `sequence` names that column.
    """
    entities = entity_columns(mapping) if mapping.roles.time else []
    if not entities:
        return events
    cells = ", ".join(
        f"""count({name}) OVER "@hour" / nullif(count(DISTINCT {name}) OVER "@hour", 0)
        AS {_of_hour(entity)}"""
        for entity in entities
        for name in [quoted(entity)]
    )
    return f"""(SELECT *, {cells} FROM {events} WINDOW "@hour" AS (
        PARTITION BY {sequence} ORDER BY ts
        RANGE BETWEEN CURRENT ROW AND INTERVAL 1 HOUR FOLLOWING))"""


def _of_hour(entity: str) -> str:
    return quoted(f"@{entity}_hour")


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


def _of_sequence(name: str, sql: str, bucketing: Bucketing, words: str) -> Fact:
    return Fact(name, sql, "sequence", bucketing, words)


def _commonest(column: str) -> str:
    """Count the commonest value: a histogram per sequence would take three times as long."""
    return f'len(list_filter(list({column}), lambda "@x": "@x" = mode({column})))'


def _pace_profile() -> list[Fact]:
    inside = "FILTER (position > 0)"
    return [
        _of_sequence("duration", "(epoch_us(max(ts)) - epoch_us(min(ts))) / 1e6", "seconds",
                     "{value} from the first to the last event"),
        _of_sequence("median_gap", f"median(gap) {inside}", "seconds",
                     "{value} typically between events"),
        _of_sequence("shortest_gap", f"min(gap) {inside}", "seconds",
                     "{value} at least between events"),
        _of_sequence("gap_spread", f"stddev_pop(gap) {inside} / nullif(avg(gap) {inside}, 0)",
                     "ratio", "gaps vary by {value} of their mean"),
        _of_sequence("longest_burst", "max(burst_1m)", "count",
                     "up to {value} events within a minute"),
        _of_sequence("busiest_hour", "max(actor_1h)", "count",
                     "up to {value} events within an hour"),
        _of_sequence("night_share", "avg(CASE WHEN hour(ts) < 6 THEN 1 ELSE 0 END)", "ratio",
                     "{value} of events between 0 and 6 UTC"),
    ]  # fmt: skip


def _action_profile(actions: Sequence[str]) -> list[Fact]:
    common = f"{_commonest('action')} / count(*)"
    counts = [
        _of_sequence(name, f"count(*) FILTER (action = {literal(action)})", "count",
                     f"{{value}} times {' '.join(action.split()[:8])}")
        for action, name in action_names(actions).items()
    ]  # fmt: skip
    return [
        _of_sequence("actions", "count(DISTINCT action)", "count", "{value} different actions"),
        _of_sequence("top_action_share", common, "ratio", "{value} of events are the same action"),
        _of_sequence("longest_run", "max(repeat_action)", "count",
                     "up to {value} equal actions in a row"),
        *counts,
        Fact("pattern_count", f"count(*) OVER (PARTITION BY {PATTERN}) - 1", "log", "count",
             "{value} other sequences with these counts of actions"),
    ]  # fmt: skip


def _item_profile() -> list[Fact]:
    return [
        _of_sequence("items", "count(DISTINCT item)", "count", "{value} different items"),
        _of_sequence("items_per_event", "count(DISTINCT item) / nullif(count(item), 0)", "ratio",
                     "{value} different items per event on an item"),
        _of_sequence("most_on_item", "max(item_own)", "count", "up to {value} events on one item"),
        _of_sequence("mean_item_seen", "avg(item_seen)", "count",
                     "items had {value} events of others on average"),
        _of_sequence("least_item_seen", "min(item_seen)", "count",
                     "the rarest item had {value} events of others"),
        _of_sequence("most_item_seen", "max(item_seen)", "count",
                     "the commonest item had {value} events of others"),
        _of_sequence("rare_item_share", "avg(CASE WHEN item_seen < 3 THEN 1 ELSE 0 END)", "ratio",
                     "{value} of events on items others hardly touched"),
    ]  # fmt: skip


def _number_profile(name: str, has_item: bool) -> list[Fact]:
    column, noun = quoted(name), plain(name)
    commonest = _commonest(column)
    at_edge = f"avg(CAST({column} = (SELECT {{}} FROM edges) AS INTEGER))"
    facts = [
        _of_sequence(f"{name}_mean", f"avg({column})", "number", f"mean {noun} {{value}}"),
        _of_sequence(f"{name}_spread", f"stddev_pop({column})", "number",
                     f"{noun} varies by {{value}}"),
        _of_sequence(f"{name}_same_share", f"{commonest} / nullif(count({column}), 0)", "ratio",
                     f"{{value}} of events have the same {noun}"),
        Fact(f"{name}_top_share", at_edge.format(quoted(f"max_{name}")), "log", "ratio",
             f"{{value}} of events have the highest {noun}"),
        Fact(f"{name}_bottom_share", at_edge.format(quoted(f"min_{name}")), "log", "ratio",
             f"{{value}} of events have the lowest {noun}"),
    ]  # fmt: skip
    if has_item:
        against = f"{name}_vs_item"
        ratio = quoted(against)
        off = f"abs({ratio} - 1)" if name == "amount" else f"abs({ratio})"
        facts += [
            _of_sequence(f"{against}_mean", f"avg({ratio})", "number",
                         f"{noun} differs from others' by {{value}} on average"),
            _of_sequence(f"{against}_size", f"avg({off})", "number",
                         f"{noun} is {{value}} away from others' on average"),
        ]  # fmt: skip
    return facts


def _entity_profile(name: str, timed: bool) -> list[Fact]:
    column, noun = quoted(name), plain(name)
    facts = [
        _of_sequence(f"{name}_distinct", f"count(DISTINCT {column})", "count",
                     f"{{value}} different values of {noun}"),
        _of_sequence(f"{name}_most_actors", f"max({quoted(f'{name}_actors')})", "count",
                     f"a {noun} shared by up to {{value}} actors"),
        _of_sequence(f"{name}_most_own", f"max({quoted(f'{name}_own')})", "count",
                     f"up to {{value}} events with one {noun}"),
    ]  # fmt: skip
    if timed:
        facts.append(
            _of_sequence(f"{name}_top_hour_ratio", f"max({_of_hour(name)})", "ratio",
                         f"up to {{value}} events per {noun} within an hour")
        )  # fmt: skip
    return facts
