"""Facts of an event: what it needs from the rest of the log.

With a time, an event's facts come from itself and what came before it (by time, then by row).
Without one, only the actor's own order counts, and facts about others use the whole log without
the actor. `core.logs.measuring` computes them.
"""

from core.logs.engine import quoted
from core.logs.fact import (
    SO_FAR,
    TURN,
    Bucketing,
    Fact,
    Helper,
    entity_columns,
    following,
    numeric_columns,
    older,
    plain,
    previous,
)
from core.logs.mapping import Mapping
from core.logs.profiles import profile_facts

__all__ = ["Fact", "entity_columns", "event_facts", "helpers", "numeric_columns", "profile_facts"]

HOUR = 3600  # seconds
OWN = ("actor_id",)


def event_facts(mapping: Mapping) -> list[Fact]:
    """Return the facts of every event of a log with this mapping."""
    timed = mapping.roles.time is not None
    facts = [_own("nth", OWN, TURN, "count", "event {value} so far")]
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


def helpers(mapping: Mapping) -> dict[str, Helper]:
    """Return what facts are made of but nobody sees, by name."""
    timed = mapping.roles.time is not None
    made = {}
    if mapping.roles.action:
        same = '"@at" > "@first" AND action IS NOT DISTINCT FROM lag(action) OVER ()'
        made["_same_action"] = Helper(same, OWN)
    groups = [*(["item"] if mapping.roles.item else []), *entity_columns(mapping)]
    for name in groups if timed else []:
        made[f"_{name}_nth"] = Helper(TURN, (name,))
        made |= _stays(name)
    for name in entity_columns(mapping) if timed else []:
        first = f"CASE WHEN {quoted(f'{name}_own')} = 1 THEN 1 ELSE 0 END"
        made[f"_{name}_firsts"] = Helper(f"sum({first}) {SO_FAR}", (name,))
    if mapping.roles.item:
        for column in numeric_columns(mapping):
            made |= _sums_of_others(column, timed)
    return made


def _own(name: str, by: tuple[str, ...], sql: str, bucketing: Bucketing, words: str) -> Fact:
    """Return a fact about the actor's own events, in the order `by`."""
    return Fact(name, sql, "actor", bucketing, words, by=by)


def _others(of: str, name: str, sql: str, bucketing: Bucketing, words: str) -> Fact:
    """Return a fact about everybody's events with the same value of column `of`."""
    by = () if "PARTITION BY" in sql else (of,)
    return Fact(name, _where(quoted(of), sql), "log", bucketing, words, of, by)


def _recent(seconds: int) -> str:
    """Count the group's events in the trailing time; ties after the event do not count."""
    return f'"@at" - {older(seconds)}'


def _stays(name: str) -> dict[str, Helper]:
    """Return where an actor's stays with a value of column `name` begin and end (1, else 0).

    A stay goes on while the value comes back within an hour. That it has ended is used no sooner
    than an hour later, so it tells nothing of what is still to come.
    """

    def apart(earlier: str, later: str) -> str:
        within = f"coalesce(epoch_us({later}) - epoch_us({earlier}) <= {HOUR * 1_000_000}, false)"
        return f"CASE WHEN {within} OR {quoted(name)} IS NULL THEN 0 ELSE 1 END"

    return {
        f"_{name}_begins": Helper(apart(previous("ts"), "ts"), ("actor_id", name)),
        f"_{name}_ends": Helper(apart("ts", following("ts")), ("actor_id", name)),
    }


def _distinct(name: str) -> str:
    """Count the stays of the trailing hour: the distinct values, or actors, among its events.

    The stays of earlier groups need not be left out: every one of them has ended.
    """
    return f"sum(_{name}_begins) {SO_FAR} - {older(HOUR, f'_{name}_ends')}"


def _where(column: str, sql: str) -> str:
    return f"CASE WHEN {column} IS NOT NULL THEN {sql} END"


def _run(name: str, same: str, words: str) -> Fact:
    start = f'max(CASE WHEN NOT {same} THEN "@at" END) {SO_FAR}'
    return _own(name, OWN, f'"@at" - {start} + 1', "count", words)


def _pace_facts() -> list[Fact]:
    since = f"epoch_us(ts) - epoch_us({previous('ts')})"
    return [
        _own("gap", OWN, f"({since}) / 1e6", "seconds", "{value} since the previous event"),
        _own("burst_10s", OWN, _recent(10), "count", "{value} events within 10 seconds"),
        _own("burst_1m", OWN, _recent(60), "count", "{value} events within a minute"),
        _own("actor_1h", OWN, _recent(HOUR), "count", "{value} events within an hour"),
        _own("hour", (), "CAST(hour(ts) AS VARCHAR)", "category", "at hour {value} UTC"),
    ]


def _item_facts(timed: bool) -> list[Fact]:
    same = f"CASE WHEN item = {previous('item')} THEN 'yes' ELSE 'no' END"
    facts = [
        _own("same_item", OWN, _where("item", same), "category",
             "same item as just before: {value}"),
        _own("item_own", ("actor_id", "item"), _where("item", TURN), "count",
             "this actor's event {value} on the item"),
    ]  # fmt: skip
    if not timed:
        return facts + _shared_in_whole_log("item", "item")
    return [
        *facts,
        _own("items_1h", OWN, _distinct("item"), "count",
             "{value} different items within an hour"),
        _others("item", "item_seen", "_item_nth - item_own", "count",
                "{value} earlier events of others on the item"),
        _others("item", "item_events_1h", _recent(HOUR), "count",
                "{value} events on the item within an hour"),
        _others("item", "item_actors_1h", _distinct("item"), "count",
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
    both = ("actor_id", name)
    own = _own(f"{name}_own", both, _where(column, TURN), "count",
               f"this actor's event {{value}} with this {noun}")  # fmt: skip
    if not timed:
        return [own, *_shared_in_whole_log(name, noun)]
    firsts = f"_{name}_firsts"  # an event that is the first of its group is one
    before = f'max(CASE WHEN "@at" = "@first" THEN {firsts} - 1 END) {SO_FAR}'
    return [
        own,
        _own(f"{name}_1h", both, _where(column, _recent(HOUR)), "count",
             f"{{value}} events with this {noun} within an hour"),
        _own(f"{name}_distinct_1h", OWN, _distinct(name), "count",
             f"{{value}} different values of {noun} within an hour"),
        _own(f"{name}_ratio_1h", (),
             f"actor_1h / nullif({quoted(f'{name}_distinct_1h')}, 0)", "ratio",
             f"{{value}} events per {noun} within an hour"),
        _others(name, f"{name}_actors", f"{firsts} - {before}", "count",
                f"{{value}} actors with this {noun} so far"),
        _others(name, f"{name}_seen", f"_{name}_nth - {quoted(f'{name}_own')}", "count",
                f"{{value}} earlier events of others with this {noun}"),
    ]  # fmt: skip


def _sums_of_others(name: str, timed: bool) -> dict[str, Helper]:
    column = quoted(name)
    before = ' ORDER BY ts, "row" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING' if timed else ""
    made = {}
    for short, aggregate in (("sum", f"sum({column})"), ("count", f"count({column})")):
        everyone = f"coalesce({aggregate} OVER (PARTITION BY item{before}), 0)"
        own = f"coalesce({aggregate} OVER (PARTITION BY item, actor_id{before}), 0)"
        made[f"_{name}_{short}"] = Helper(f"{everyone} - {own}")
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
