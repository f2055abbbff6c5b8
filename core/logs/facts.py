"""Facts: what an event, or a whole sequence, needs from the rest of the log.

With a time, an event's facts come from itself and what came before it (by time, then by row).
Without one, only the actor's own order counts, and facts about others use the whole log without
the actor. `core.logs.measuring` computes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.logs.engine import literal, quoted
from core.logs.mapping import Mapping, extra_columns, safe_name

Scope = Literal["actor", "log", "sequence"]
Bucketing = Literal["count", "seconds", "ratio", "category", "number"]

HOUR = 3600  # seconds
OWN = 'PARTITION BY actor_id ORDER BY ts, "row"'
PATTERN = "CAST(histogram(action) AS VARCHAR)"  # a sequence's counts by action


@dataclass(frozen=True)
class Fact:
    """One fact: an SQL expression over events, which may name other facts and helpers.

    Scope `actor` needs the actor's events only, `log` those of others too, `sequence` is an
    aggregate over the events of one sequence. `words` holds one `{value}`.
    """

    name: str
    sql: str
    scope: Scope
    bucketing: Bucketing
    words: str


def numeric_columns(mapping: Mapping) -> list[str]:
    """Return the canonical names of the columns that hold numbers."""
    extras = [name for name, kind in extra_columns(mapping).items() if kind == "numeric"]
    return ["amount", *extras] if mapping.roles.amount else extras


def entity_columns(mapping: Mapping) -> list[str]:
    """Return the canonical names of the columns that hold entities other than actor and item."""
    return [name for name, kind in extra_columns(mapping).items() if kind == "entity"]


def event_facts(mapping: Mapping) -> list[Fact]:
    """Return the facts of every event of a log with this mapping."""
    timed = mapping.roles.time is not None
    facts = [_fact("nth", f"row_number() OVER ({OWN})", "actor", "count", "event {value} so far")]
    if timed:
        facts += _pace_facts()
    if mapping.roles.action:
        facts.append(_run("repeat_action", "_same_action", "{value} equal actions in a row"))
    if mapping.roles.item:
        facts += _item_facts(timed)
        facts += [_against_item(column, column == "amount") for column in numeric_columns(mapping)]
    for entity in entity_columns(mapping):
        facts += _entity_facts(entity, timed)
    return facts


def helpers(mapping: Mapping) -> dict[str, str]:
    """Return what facts are made of but nobody sees: name -> SQL."""
    timed = mapping.roles.time is not None
    made = {}
    if mapping.roles.action:
        made["_same_action"] = f"action IS NOT DISTINCT FROM lag(action) OVER ({OWN}) AND nth > 1"
    groups = [*(["item"] if mapping.roles.item else []), *entity_columns(mapping)]
    for name in groups if timed else []:
        made[f"_{name}_nth"] = f'row_number() OVER (PARTITION BY {quoted(name)} ORDER BY ts, "row")'
    if mapping.roles.item:
        for column in numeric_columns(mapping):
            made |= _sums_of_others(column, timed)
    return made


def profile_facts(mapping: Mapping, actions: Sequence[str]) -> list[Fact]:
    """Return the facts of every sequence; `actions` are the commonest of the log."""
    facts = [_of_sequence("events", "count(*)", "count", "{value} events")]
    if mapping.roles.time:
        facts += _pace_profile()
    facts.append(_of_sequence("actor_before", "min(nth) - 1", "count", "{value} earlier events"))
    if mapping.roles.action:
        facts += _action_profile(actions)
    if mapping.roles.item:
        facts += _item_profile()
    for column in numeric_columns(mapping):
        facts += _number_profile(column, mapping.roles.item is not None)
    for entity in entity_columns(mapping):
        facts += _entity_profile(entity, mapping.roles.time is not None)
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


def _fact(name: str, sql: str, scope: Scope, bucketing: Bucketing, words: str) -> Fact:
    return Fact(name, sql, scope, bucketing, words)


def _of_sequence(name: str, sql: str, bucketing: Bucketing, words: str) -> Fact:
    return Fact(name, sql, "sequence", bucketing, words)


def _trailing(group: str, seconds: int) -> str:
    return (
        f"OVER (PARTITION BY {group} ORDER BY ts "
        f"RANGE BETWEEN INTERVAL {seconds} SECOND PRECEDING AND CURRENT ROW)"
    )


def _recent(nth: str, group: str, seconds: int) -> str:
    """Count the group's events in the trailing time; ties after the event do not count."""
    return f"{nth} - min({nth}) {_trailing(group, seconds)} + 1"


def _distinct(column: str, group: str, events: str) -> str:
    """Count distinct values among the group's last `events` events, this one included."""
    return (
        f'count(DISTINCT {column}) OVER (PARTITION BY {group} ORDER BY ts, "row" '
        f"ROWS BETWEEN CAST({events} - 1 AS BIGINT) PRECEDING AND CURRENT ROW)"
    )


def _where(column: str, sql: str) -> str:
    return f"CASE WHEN {column} IS NOT NULL THEN {sql} END"


def _run(name: str, same: str, words: str) -> Fact:
    start = f"max(CASE WHEN NOT {same} THEN nth END) OVER ({OWN} ROWS UNBOUNDED PRECEDING)"
    return _fact(name, f"nth - {start} + 1", "actor", "count", words)


def _pace_facts() -> list[Fact]:
    since = f"epoch_us(ts) - epoch_us(lag(ts) OVER ({OWN}))"
    return [
        _fact("gap", f"({since}) / 1e6", "actor", "seconds", "{value} since the previous event"),
        _fact("burst_10s", _recent("nth", "actor_id", 10), "actor", "count",
              "{value} events within 10 seconds"),
        _fact("burst_1m", _recent("nth", "actor_id", 60), "actor", "count",
              "{value} events within a minute"),
        _fact("actor_1h", _recent("nth", "actor_id", HOUR), "actor", "count",
              "{value} events within an hour"),
        _fact("hour", "CAST(hour(ts) AS VARCHAR)", "actor", "category", "at hour {value} UTC"),
    ]  # fmt: skip


def _item_facts(timed: bool) -> list[Fact]:
    previous = f"lag(item) OVER ({OWN})"
    facts = [
        _fact("same_item",
              _where("item", f"CASE WHEN item = {previous} THEN 'yes' ELSE 'no' END"),
              "actor", "category", "same item as just before: {value}"),
        _fact("item_own",
              _where("item", 'row_number() OVER (PARTITION BY actor_id, item ORDER BY ts, "row")'),
              "actor", "count", "this actor's event {value} on the item"),
    ]  # fmt: skip
    if not timed:
        return facts + _shared_in_whole_log("item", "item")
    return [
        *facts,
        _fact("items_1h", _distinct("item", "actor_id", "actor_1h"), "actor", "count",
              "{value} different items within an hour"),
        _fact("item_seen", _where("item", "_item_nth - item_own"), "log", "count",
              "{value} earlier events of others on the item"),
        _fact("item_events_1h", _where("item", _recent("_item_nth", "item", HOUR)), "log", "count",
              "{value} events on the item within an hour"),
        _fact("item_actors_1h",
              _where("item", _distinct("actor_id", "item", "coalesce(item_events_1h, 1)")),
              "log", "count", "{value} actors on the item within an hour"),
        _fact("item_ratio_1h", "item_events_1h / item_actors_1h", "log", "ratio",
              "{value} events per actor on the item within an hour"),
    ]  # fmt: skip


def _shared_in_whole_log(name: str, noun: str) -> list[Fact]:
    column = quoted(name)
    everyone, own = f"PARTITION BY {column}", f"PARTITION BY {column}, actor_id"
    others = f"count(*) OVER ({everyone}) - count(*) OVER ({own})"
    return [
        _fact(f"{name}_seen", _where(column, others), "log", "count",
              f"{{value}} events of others with this {noun}"),
        _fact(f"{name}_actors",
              _where(column, f"count(DISTINCT actor_id) OVER (PARTITION BY {column}) - 1"),
              "log", "count", f"{{value}} other actors with this {noun}"),
    ]  # fmt: skip


def _entity_facts(name: str, timed: bool) -> list[Fact]:
    column, noun = quoted(name), name.strip("_").replace("_", " ")
    both = f"actor_id, {column}"
    turn = f'row_number() OVER (PARTITION BY {both} ORDER BY ts, "row")'
    words = f"this actor's event {{value}} with this {noun}"
    own = _fact(f"{name}_own", _where(column, turn), "actor", "count", words)
    if not timed:
        return [own, *_shared_in_whole_log(name, noun)]
    first = f"CASE WHEN {name}_own = 1 THEN 1 ELSE 0 END"
    firsts = f'sum({first}) OVER (PARTITION BY {column} ORDER BY ts, "row")'
    return [
        own,
        _fact(f"{name}_1h", _where(column, _recent(f"{name}_own", both, HOUR)), "actor", "count",
              f"{{value}} events with this {noun} within an hour"),
        _fact(f"{name}_distinct_1h", _distinct(column, "actor_id", "actor_1h"), "actor", "count",
              f"{{value}} different values of {noun} within an hour"),
        _fact(f"{name}_ratio_1h", f"actor_1h / nullif({name}_distinct_1h, 0)", "actor", "ratio",
              f"{{value}} events per {noun} within an hour"),
        _fact(f"{name}_actors", _where(column, firsts), "log", "count",
              f"{{value}} actors with this {noun} so far"),
        _fact(f"{name}_seen", _where(column, f"_{name}_nth - {name}_own"), "log", "count",
              f"{{value}} earlier events of others with this {noun}"),
    ]  # fmt: skip


def _sums_of_others(name: str, timed: bool) -> dict[str, str]:
    column = quoted(name)
    before = ' ORDER BY ts, "row" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING' if timed else ""
    made = {}
    for short, aggregate in (("sum", f"sum({column})"), ("count", f"count({column})")):
        everyone = f"coalesce({aggregate} OVER (PARTITION BY item{before}), 0)"
        own = f"coalesce({aggregate} OVER (PARTITION BY item, actor_id{before}), 0)"
        made[f"_{name}_{short}"] = f"{everyone} - {own}"
    return made


def _against_item(name: str, is_money: bool) -> Fact:
    """Compare with the mean of others: a price as a multiple, a rating as a difference."""
    column = quoted(name)
    mean = f"(_{name}_sum / nullif(_{name}_count, 0))"
    noun = name.strip("_").replace("_", " ")
    if is_money:
        sql = f"round({column} / CASE WHEN abs({mean}) > 1e-9 THEN {mean} END, 6)"
        words = "amount {value} times the item's usual"
        return _fact(f"{name}_vs_item", _where("item", sql), "log", "ratio", words)
    sql = f"round({column} - {mean}, 6)"
    words = f"{noun} {{value}} from what others gave the item"
    return _fact(f"{name}_vs_item", _where("item", sql), "log", "number", words)


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
    common = "list_max(map_values(histogram(action))) / count(*)"
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
    column, noun = quoted(name), name.strip("_").replace("_", " ")
    often = f"list_max(map_values(histogram({column})))"
    edge = "avg(CAST({column} = (SELECT {edge}({column}) FROM events) AS INTEGER))"
    facts = [
        _of_sequence(f"{name}_mean", f"avg({column})", "number", f"mean {noun} {{value}}"),
        _of_sequence(f"{name}_spread", f"stddev_pop({column})", "number",
                     f"{noun} varies by {{value}}"),
        _of_sequence(f"{name}_same_share", f"{often} / nullif(count({column}), 0)", "ratio",
                     f"{{value}} of events have the same {noun}"),
        Fact(f"{name}_top_share", edge.format(column=column, edge="max"), "log", "ratio",
             f"{{value}} of events have the highest {noun}"),
        Fact(f"{name}_bottom_share", edge.format(column=column, edge="min"), "log", "ratio",
             f"{{value}} of events have the lowest {noun}"),
    ]  # fmt: skip
    if has_item:
        against = f"{name}_vs_item"
        off = f"abs({against} - 1)" if name == "amount" else f"abs({against})"
        facts += [
            _of_sequence(f"{against}_mean", f"avg({against})", "number",
                         f"{noun} differs from others' by {{value}} on average"),
            _of_sequence(f"{against}_size", f"avg({off})", "number",
                         f"{noun} is {{value}} away from others' on average"),
        ]  # fmt: skip
    return facts


def _entity_profile(name: str, timed: bool) -> list[Fact]:
    column, noun = quoted(name), name.strip("_").replace("_", " ")
    facts = [
        _of_sequence(f"{name}_distinct", f"count(DISTINCT {column})", "count",
                     f"{{value}} different values of {noun}"),
        _of_sequence(f"{name}_most_actors", f"max({name}_actors)", "count",
                     f"a {noun} shared by up to {{value}} actors"),
        _of_sequence(f"{name}_most_own", f"max({name}_own)", "count",
                     f"up to {{value}} events with one {noun}"),
    ]  # fmt: skip
    if timed:
        facts.append(
            _of_sequence(f"{name}_top_ratio_1h", f"max({name}_ratio_1h)", "ratio",
                         f"up to {{value}} events per {noun} within an hour")
        )  # fmt: skip
    return facts
