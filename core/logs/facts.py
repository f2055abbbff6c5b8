"""Facts of an event: what it needs from the rest of the log.

With a time, an event's facts come from itself and what came before it (by time, then by row).
Without one, only the actor's own order counts, and facts about others use the whole log without
the actor. `core.logs.measuring` computes them.
"""

from core.logs.engine import quoted
from core.logs.fact import Bucketing, Fact, Scope, entity_columns, numeric_columns, plain
from core.logs.mapping import Mapping
from core.logs.profiles import profile_facts

__all__ = ["Fact", "entity_columns", "event_facts", "helpers", "numeric_columns", "profile_facts"]

HOUR = 3600  # seconds
OWN = 'PARTITION BY actor_id ORDER BY ts, "row"'


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
    return [fact for fact in facts if mapping.facts == "all" or fact.of is None]


def helpers(mapping: Mapping) -> dict[str, str]:
    """Return what facts are made of but nobody sees: name -> SQL."""
    timed = mapping.roles.time is not None
    made = {}
    if mapping.roles.action:
        made["_same_action"] = (
            f"row_number() OVER ({OWN}) > 1 "
            f"AND action IS NOT DISTINCT FROM lag(action) OVER ({OWN})"
        )
    groups = [*(["item"] if mapping.roles.item else []), *entity_columns(mapping)]
    for name in groups if timed else []:
        made[f"_{name}_nth"] = f'row_number() OVER (PARTITION BY {quoted(name)} ORDER BY ts, "row")'
        made |= _stays(name)
    if mapping.roles.item:
        for column in numeric_columns(mapping):
            made |= _sums_of_others(column, timed)
    return made


def _fact(name: str, sql: str, scope: Scope, bucketing: Bucketing, words: str) -> Fact:
    return Fact(name, sql, scope, bucketing, words)


def _others(of: str, name: str, sql: str, bucketing: Bucketing, words: str) -> Fact:
    """Return a fact about everybody's events with the same value of column `of`."""
    return Fact(name, _where(quoted(of), sql), "log", bucketing, words, of)


def _before(group: str, seconds: int) -> str:
    """Frame: the group's events that are more than `seconds` older than this one."""
    return (
        f"OVER (PARTITION BY {group} ORDER BY ts RANGE BETWEEN UNBOUNDED PRECEDING "
        f"AND INTERVAL {seconds * 1_000_000 + 1} MICROSECOND PRECEDING)"
    )


def _so_far(group: str) -> str:
    return f'OVER (PARTITION BY {group} ORDER BY ts, "row" ROWS UNBOUNDED PRECEDING)'


def _recent(group: str, seconds: int) -> str:
    """Count the group's events in the trailing time; ties after the event do not count."""
    turn = f'row_number() OVER (PARTITION BY {group} ORDER BY ts, "row")'
    return f"{turn} - count(*) {_before(group, seconds)}"


def _stays(name: str) -> dict[str, str]:
    """Return where an actor's stays with a value of column `name` begin and end (1, else 0).

    A stay goes on while the value comes back within an hour. That it has ended is used no sooner
    than an hour later, so it tells nothing of what is still to come.
    """
    pair = f'OVER (PARTITION BY actor_id, {quoted(name)} ORDER BY ts, "row")'

    def apart(earlier: str, later: str) -> str:
        within = f"coalesce(epoch_us({later}) - epoch_us({earlier}) <= {HOUR * 1_000_000}, false)"
        return f"CASE WHEN {within} OR {quoted(name)} IS NULL THEN 0 ELSE 1 END"

    return {
        f"_{name}_begins": apart(f"lag(ts) {pair}", "ts"),
        f"_{name}_ends": apart("ts", f"lead(ts) {pair}"),
    }


def _distinct(name: str, group: str) -> str:
    """Count the stays of the trailing hour: the distinct values, or actors, among its events."""
    ended = f"sum(_{name}_ends) {_before(group, HOUR)}"
    return f"sum(_{name}_begins) {_so_far(group)} - coalesce({ended}, 0)"


def _where(column: str, sql: str) -> str:
    return f"CASE WHEN {column} IS NOT NULL THEN {sql} END"


def _run(name: str, same: str, words: str) -> Fact:
    start = f"max(CASE WHEN NOT {same} THEN nth END) OVER ({OWN} ROWS UNBOUNDED PRECEDING)"
    return _fact(name, f"nth - {start} + 1", "actor", "count", words)


def _pace_facts() -> list[Fact]:
    since = f"epoch_us(ts) - epoch_us(lag(ts) OVER ({OWN}))"
    return [
        _fact("gap", f"({since}) / 1e6", "actor", "seconds", "{value} since the previous event"),
        _fact("burst_10s", _recent("actor_id", 10), "actor", "count",
              "{value} events within 10 seconds"),
        _fact("burst_1m", _recent("actor_id", 60), "actor", "count",
              "{value} events within a minute"),
        _fact("actor_1h", _recent("actor_id", HOUR), "actor", "count",
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
        _fact("items_1h", _distinct("item", "actor_id"), "actor", "count",
              "{value} different items within an hour"),
        _others("item", "item_seen", "_item_nth - item_own", "count",
                "{value} earlier events of others on the item"),
        _others("item", "item_events_1h", _recent("item", HOUR), "count",
                "{value} events on the item within an hour"),
        _others("item", "item_actors_1h", _distinct("item", "item"), "count",
                "{value} actors on the item within an hour"),
        _others("item", "item_ratio_1h", "item_events_1h / item_actors_1h", "ratio",
                "{value} events per actor on the item within an hour"),
    ]  # fmt: skip


def _shared_in_whole_log(name: str, noun: str) -> list[Fact]:
    column = quoted(name)
    everyone, own = f"PARTITION BY {column}", f"PARTITION BY {column}, actor_id"
    others = f"count(*) OVER ({everyone}) - count(*) OVER ({own})"
    return [
        _others(name, f"{name}_seen", others, "count",
                f"{{value}} events of others with this {noun}"),
        _others(name, f"{name}_actors",
                f"count(DISTINCT actor_id) OVER (PARTITION BY {column}) - 1", "count",
                f"{{value}} other actors with this {noun}"),
    ]  # fmt: skip


def _entity_facts(name: str, timed: bool) -> list[Fact]:
    column, noun = quoted(name), plain(name)
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
        _fact(f"{name}_1h", _where(column, _recent(both, HOUR)), "actor", "count",
              f"{{value}} events with this {noun} within an hour"),
        _fact(f"{name}_distinct_1h", _distinct(name, "actor_id"), "actor", "count",
              f"{{value}} different values of {noun} within an hour"),
        _fact(f"{name}_ratio_1h", f"actor_1h / nullif({name}_distinct_1h, 0)", "actor", "ratio",
              f"{{value}} events per {noun} within an hour"),
        _others(name, f"{name}_actors", firsts, "count",
                f"{{value}} actors with this {noun} so far"),
        _others(name, f"{name}_seen", f"_{name}_nth - {name}_own", "count",
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
    noun = plain(name)
    if is_money:
        sql = f"round({column} / CASE WHEN abs({mean}) > 1e-9 THEN {mean} END, 6)"
        words = "amount {value} times the item's usual"
        return _others("item", f"{name}_vs_item", sql, "ratio", words)
    sql = f"round({column} - {mean}, 6)"
    words = f"{noun} {{value}} from what others gave the item"
    return _others("item", f"{name}_vs_item", sql, "number", words)
