"""The quality report in plain words: what an analyst should know before trusting the log."""

from collections.abc import Callable
from typing import Any, Final

from core.wording import percent

MOST: Final = 8
_MUCH = 0.2  # share of rows or events from which a fact is worth a note
_BLANK = 0.5  # share of missing values from which a column is hardly there
_HEAVY = 0.1  # share of all events that one actor may have without a note

Quality = dict[str, Any]


def notes_of(quality: Quality) -> list[str]:
    """Return the notes, the most important first; those of a look say which rows they speak of."""
    found = [note for of in _NOTES if (note := of(quality)) is not None][:MOST]
    looked_at = {"first": "the first", "whole": "all"}.get(quality["rows"])
    if looked_at is None or not found:
        return found
    return [f"In {looked_at} {_count(quality['read'], 'row')}:", *found]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _of(number: int, whole: int) -> str:
    """Say a count beside its share: 94,674 of 222,579 (42.5 %)."""
    share = number / whole
    said = "under 0.1 %" if 0 < share < 0.001 else percent(share, 1)
    return f"{number:,} of {whole:,} ({said})"


def _lasting(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.3g} seconds"


def _moment(iso: str) -> str:
    return iso[:16].replace("T", " ")


def _no_time(quality: Quality) -> str | None:
    if quality["order"] == "time":
        return None
    return (
        "No column holds a time: the order of rows within an actor is taken as the order of "
        "events, and facts about others use the whole log."
    )


def _masked(quality: Quality) -> str | None:
    found = [
        f"{number:,} {kind}{'s' * (number != 1)} in '{column}'"
        for column, kinds in quality["masked"].items()
        for kind, number in kinds.items()
        if number
    ]
    return f"Masked: {', '.join(found)}." if found else None


def _rejected(quality: Quality) -> str | None:
    if not quality["rejected"]:
        return None
    reasons = [f"{why}: {rows:,}" for why, rows in quality["rejected_by_reason"].items()]
    return (
        f"Rows that cannot be used: {_of(quality['rejected'], quality['read'])}. "
        f"Reasons: {'; '.join(reasons)}."
    )


def _unread(quality: Quality) -> str | None:
    said = [
        f"{column}: {_count(told['values'], 'value')} could not be read as "
        f"{'a number' if told['values'] == 1 else 'numbers'}, such as '{told['example']}'"
        for column, told in quality["unread"].items()
    ]
    return f"{'; '.join(said[:3])}. They count as missing." if said else None


def _impossible_times(quality: Quality) -> str | None:
    ends = {"before 1990": "before_1990", "in the future": "in_the_future"}
    said = [
        f"{number:,} {words}" for words, end in ends.items() if (number := quality["clock"][end])
    ]
    return f"Events with an impossible time: {', '.join(said)}. They are kept." if said else None


def _order(quality: Quality) -> str | None:
    clock = quality["clock"]
    if not clock["out_of_order"]:
        return None
    late = f"Events older than a row above them: {_of(clock['out_of_order'], quality['accepted'])}."
    if clock["out_of_order_share"] > _MUCH:
        return (
            f"{late} The file is not in the order of time; events are sorted, so it does no harm."
        )
    if not clock["jumps"]:
        return late
    return (
        f"{late} The clock runs back by more than a minute {_count(clock['jumps'], 'time')}, by "
        f"{_lasting(clock['largest_jump_seconds'])} at row {clock['largest_jump_row']:,}."
    )


def _gaps(quality: Quality) -> str | None:
    gaps = quality["gaps"]
    if not gaps or not gaps["found"]:
        return None
    longest = gaps["longest"][0]
    more = "" if gaps["found"] == 1 else f" There are {gaps['found']} such gaps."
    return (
        f"No event for {_lasting(longest['seconds'])} after {_moment(longest['from'])}; pauses "
        f"here are usually under {_lasting(gaps['usual_seconds'])}.{more}"
    )


def _repeats(quality: Quality) -> str | None:
    repeats = quality["repeats"]
    if not repeats["events"]:
        return None
    worst = repeats["largest"][0]
    return (
        f"Events equal to an earlier one in every column: "
        f"{_of(repeats['events'], quality['accepted'])}; they are kept. Most often: "
        f"{_count(worst['times'], 'time')}, by {worst['actor_id']}, first in row {worst['row']:,}."
    )


def _duplicates(quality: Quality) -> str | None:
    if not quality["duplicate"]:
        return None
    return f"Rows left out as duplicates: {_of(quality['duplicate'], quality['read'])}."


def _undecodable(quality: Quality) -> str | None:
    if not quality["undecodable"]:
        return None
    broken = _of(quality["undecodable"], quality["accepted"])
    return f"Events with characters that could not be read: {broken}."


def _missing(quality: Quality) -> str | None:
    blank = sorted(
        (pair for pair in quality["missing"].items() if pair[1] > _BLANK), key=lambda pair: -pair[1]
    )
    if not blank:
        return None
    said = [f"{column} ({percent(share)})" for column, share in blank[:3]]
    more = f" and {_count(len(blank) - 3, 'more column')}" if len(blank) > 3 else ""
    return f"Missing in most events: {', '.join(said)}{more}."


def _filled(quality: Quality) -> str | None:
    ways = {"median": "the median", "item_median": "the item's median"}
    said = [
        f"{_count(told['values'], 'missing value')} of {column} by {ways[told['by']]}"
        for column, told in quality["filled"].items()
        if told["values"]
    ]
    return f"Filled in, as the mapping asks: {'; '.join(said)}." if said else None


def _outliers(quality: Quality) -> str | None:
    found = {column: told for column, told in quality["outliers"].items() if told["outliers"]}
    if not found:
        return None
    said = [f"{column} ({_with_example(told)})" for column, told in list(found.items())[:3]]
    more = f" and {_count(len(found) - 3, 'more column')}" if len(found) > 3 else ""
    return f"Numbers far outside the usual: {', '.join(said)}{more}."


def _with_example(told: Quality) -> str:
    examples = [f", such as {example['value']:,.10g}" for example in told["examples"][:1]]
    return f"{told['outliers']:,}{''.join(examples)}"


def _single(quality: Quality) -> str | None:
    single, actors = quality["single_event_actors"], quality["actors"]
    if single <= actors / 2:
        return None
    return f"Actors with one event only: {_of(single, actors)}."


def _heaviest(quality: Quality) -> str | None:
    first = quality["heaviest_actors"][0]
    if first["share"] <= _HEAVY or quality["actors"] < 1 / _HEAVY:
        return None
    return f"One actor, {first['actor_id']}, has {percent(first['share'])} of all events."


def _folded(quality: Quality) -> str | None:
    folded = [
        f"{column} ({percent(told['other_share'])} of events)"
        for column, told in quality["vocabulary"].items()
        if (told["other_share"] or 0) > _MUCH
    ]
    if not folded:
        return None
    return f"Values too rare or too many for a word of their own: {', '.join(folded[:3])}."


def _split(quality: Quality) -> str | None:
    if quality["split_share"] <= _MUCH / 4:
        return None
    return (
        f"{percent(quality['split_share'])} of the sequences reach the longest length allowed: "
        "what is longer continues in another sequence."
    )


_NOTES: Final[tuple[Callable[[Quality], str | None], ...]] = (
    _no_time,
    _rejected,
    _unread,
    _impossible_times,
    _repeats,
    _gaps,
    _order,
    _outliers,
    _filled,
    _masked,
    _undecodable,
    _duplicates,
    _missing,
    _heaviest,
    _single,
    _folded,
    _split,
)
