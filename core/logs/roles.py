"""Guess which column plays which part, by its name and its content."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from core.logs.guessing import LIKELY, SURE, UNSURE, Guess, is_label
from core.logs.mapping import Count
from core.logs.profiling import Profile
from core.logs.vocabulary import (
    ACTIONS,
    ACTORS,
    AMOUNTS,
    BASKETS,
    CODED_ACTIONS,
    DEEDS,
    DESCRIPTIONS,
    EVENT_IDS,
    ITEMS,
    OF_ITEMS,
    OTHER_TIMES,
    PARTS_OF_AMOUNTS,
    PEOPLE,
    SESSIONS,
    TIMES,
    words_of,
)
from core.wording import percent

_LEAST_ID: Final = 1000  # smaller numbers count something
_FEW_IDS: Final = 20  # so few small numbers may be codes
_MOST_CODES: Final = 30  # actions that a log writes as numbers
_OFTEN_MISSING: Final = 0.2  # share of rows that an import would refuse for having no actor
SPREADSHEET: Final = "days since 1900"
_THIS_CENTURY: Final = (36_526, 54_789)  # days since 1900 of 2000 to 2049
_UNITS: Final[dict[Count, str]] = {"minutes": "minute", "hours": "hour", "days": "day"}
GROWS: Final = 0.95  # share of times not before the one above, in a log written as it happened

Fits = Callable[[Profile], bool]


@dataclass(frozen=True)
class _Found:
    profile: Profile
    reason: str
    confidence: float


def guess_roles(profiles: list[Profile], roles: list[str], *, named: bool) -> dict[str, Guess]:
    """Propose columns for `roles`: column -> guess; `named` is False without a header."""
    free = [p for p in profiles if p.filled and not is_label(p)]
    found: dict[str, _Found] = {}

    def small() -> bool:
        # Small numbers count something where columns have names, or no event has a time.
        return not named and ("time" in found or "time" not in roles)

    finders: dict[str, Callable[[], _Found | None]] = {
        "time": lambda: _find_time(free, named) or _find_count(free),
        "session": lambda: _by_words(free, SESSIONS, _groups, "its values come back"),
        "actor": lambda: _find_actor(free, small()),
        "action": lambda: _find_action(free),
        "item": lambda: _find_item(free, small(), not named and "actor" in roles),
        "amount": lambda: _by_words(free, AMOUNTS, _is_amount, "holds numbers"),
        "event_id": lambda: _find_event_id(free),
    }
    for role, find in finders.items():
        if role in roles and (one := find()) is not None:
            found[role] = one
            free.remove(one.profile)
    if "actor" in roles and "session" in found and (why := _no_actor(found)):
        session = found.pop("session").profile  # all we know of who acts
        found["actor"] = _Found(session, f"{why}: each session does", UNSURE)
    return {
        one.profile.name: Guess(role, one.reason, one.confidence) for role, one in found.items()
    }


def _no_actor(found: dict[str, _Found]) -> str | None:
    """Return why no column says who acts in rows that tell their session."""
    if "actor" not in found:
        return "nothing else says who acts"
    actor, session = found["actor"].profile, found["session"].profile
    if actor.missing < _OFTEN_MISSING or session.missing >= actor.missing:
        return None
    return f"'{actor.name}' does not say who acts in {percent(actor.missing)} of rows"


def _by_words(
    free: list[Profile], wanted: Sequence[str], fits: Fits, because: str, sure: float = SURE
) -> _Found | None:
    """Find the column that is named by the most telling word, and by little else."""
    for word in wanted:
        fitting = [p for p in free if word in words_of(p.name) and fits(p)]
        if fitting:
            best = min(fitting, key=lambda p: (len({*words_of(p.name)} - {word, "id"}), p.missing))
            return _Found(best, f"named like '{word}', and {because}", sure)
    return None


def _find_time(free: list[Profile], named: bool) -> _Found | None:
    times = [p for p in free if p.timed > 0.5 and p.missing < 0.5]
    candidates = [p for p in times if _is_called_a_time(p) or _looks_like_a_time(p, named)]
    if not candidates:
        return None
    most = max(p.distinct for p in candidates)
    worth = {p.name: _worth(p, most) for p in candidates}
    best = max(candidates, key=lambda p: (worth[p.name], -_rank(p), p.distinct))
    growing = " that grow with the rows" if _grows(best, most) else ""
    called = f"named like '{_time_word(best)}'" if _is_called_a_time(best) else "no name says when"
    reason = f"{called}, and {percent(best.timed)} of its values are times{growing}"
    rivals = [p.name for p in candidates if p is not best and worth[p.name] == worth[best.name]]
    if rivals:
        return _Found(best, f"{reason}; '{rivals[0]}' would do as well", UNSURE)
    if _is_called_a_time(best):
        return _Found(best, reason, SURE if best.timed > 0.9 else LIKELY)
    return _Found(best, reason, LIKELY if growing else UNSURE)


def _find_count(free: list[Profile]) -> _Found | None:
    """Find the column that counts the time from a start that the log does not say."""
    growing = "numbers that grow with the rows: time since a start that nothing names"
    for profile in free:
        unit = counted_in(profile)
        if unit is not None and (profile.distinct > _FEW_IDS or unit == SPREADSHEET):
            reason = "numbers as spreadsheets write dates" if unit == SPREADSHEET else growing
            return _Found(profile, f"named like '{_time_word(profile)}', {reason}", UNSURE)
    return None


def counted_in(profile: Profile) -> Count | None:
    """Tell what numbers of a column that is named like a time count, if they can count time."""
    if profile.formats or _time_word(profile) is None or not profile.is_number:
        return None
    low, high = profile.lowest or 0, profile.highest or 0
    if low >= _THIS_CENTURY[0] and high < _THIS_CENTURY[1]:
        return SPREADSHEET
    named = (unit for unit, word in _UNITS.items() if word in words_of(profile.name))
    return next(named, "seconds") if profile.rising >= GROWS else None


def _worth(profile: Profile, most: int) -> int:
    """Weigh what speaks for the time of the event."""
    return 2 * _is_called_a_time(profile) + _grows(profile, most) - 3 * _is_other_time(profile)


def _grows(profile: Profile, most: int) -> bool:
    # What stays the same for long, such as a registration, may grow along with its actors.
    return profile.rising >= GROWS and 2 * profile.distinct >= most


def _is_called_a_time(profile: Profile) -> bool:
    return _time_word(profile) is not None and not _is_small_number(profile)


def _time_word(profile: Profile) -> str | None:
    words = words_of(profile.name)
    return next((word for word in TIMES if word in words), None)


def _rank(profile: Profile) -> int:
    word = _time_word(profile)
    return TIMES.index(word) if word is not None else len(TIMES)


def _is_other_time(profile: Profile) -> bool:
    return bool(OTHER_TIMES & set(words_of(profile.name)))


def _looks_like_a_time(profile: Profile, named: bool) -> bool:
    written_out = profile.timed > 0.95 and not profile.is_number
    return written_out or (not named and _is_recent_epoch(profile))


def _is_small_number(profile: Profile) -> bool:
    return profile.is_number and (profile.highest or 0) < 1e7


def _is_recent_epoch(profile: Profile) -> bool:
    low, high = profile.lowest or 0.0, profile.highest or 0.0
    days = low >= 19900101 and high <= 20401231
    seconds = low >= 8.5e8 and high <= 2e9
    return days or seconds or (low >= 8.5e11 and high <= 2e12)


def _is_key(profile: Profile) -> bool:
    return not profile.is_number or profile.whole > 0.98 or "id" in words_of(profile.name)


def _identifies(profile: Profile) -> bool:
    return _is_key(profile) and profile.repeats


def _groups(profile: Profile) -> bool:
    return _is_key(profile) and (profile.repeats or profile.distinct == 1)


def _looks_like_an_id(profile: Profile, small: bool) -> bool:
    """Tell ids by content alone: no spaces, no JSON, many that come back; maybe `small` numbers."""
    if not _identifies(profile) or profile.words > 1.05 or profile.distinct < 3:
        return False
    many = profile.distinct > 0.01 * profile.filled
    if profile.is_number:
        is_large = (profile.lowest or 0) >= _LEAST_ID
        return many and (is_large or (small and profile.distinct > _FEW_IDS))
    is_other = profile.timed > 0.5 or profile.clock > 0.5 or _is_json(profile)
    return many and profile.length < 60 and not is_other


def _is_json(profile: Profile) -> bool:
    return (profile.example or "").startswith(("[", "{"))


def _first_id(free: list[Profile], small: bool) -> _Found | None:
    reason = "no name says it; the values look like ids that come back"
    found = (_Found(p, reason, UNSURE) for p in free if _looks_like_an_id(p, small))
    return next(found, None)


def _find_actor(free: list[Profile], small: bool) -> _Found | None:
    telling = [p for p in free if not DESCRIPTIONS & set(words_of(p.name))]
    full = [p for p in telling if p.missing < _OFTEN_MISSING]
    return (
        _by_words(full, PEOPLE, _identifies, "its values come back")
        or _by_words(telling, ACTORS, _identifies, "its values come back")
        or _by_words(telling, PEOPLE, _is_key, "yet no value comes back", UNSURE)
        or _by_words(telling, BASKETS, _identifies, "nothing says whose", UNSURE)
        or _first_id(free, small)
    )


def _find_item(free: list[Profile], small: bool, by_content: bool) -> _Found | None:
    found = _by_words(free, ITEMS, _is_item, "its values can be ids")
    if found is None and by_content:
        found = _first_id(free, small)
    return found


def _is_item(profile: Profile) -> bool:
    return _is_key(profile) and not OF_ITEMS & set(words_of(profile.name))


def _find_action(free: list[Profile]) -> _Found | None:
    found = _by_words(free, ACTIONS, _is_action, "has few different values")
    if found is None:
        deeds = [p for p in free if _is_action(p) and (p.example or "").lower() in DEEDS]
        reason = "no name says it; the values look like actions"
        found = next((_Found(p, reason, LIKELY) for p in deeds), None)
    return found


def _is_action(profile: Profile) -> bool:
    words = set(words_of(profile.name))
    if words & {"id", "time", "date", "ts", "payment", "shipping", "delivery"}:
        return False
    if profile.is_number:
        coded = words == {"type"} or (
            words & CODED_ACTIONS and words <= {*CODED_ACTIONS, "type", "code"}
        )
        return bool(coded) and profile.whole > 0.98 and profile.distinct <= _MOST_CODES
    return profile.distinct <= max(200, profile.filled // 100)


def _is_amount(profile: Profile) -> bool:
    return profile.is_number and not PARTS_OF_AMOUNTS & set(words_of(profile.name))


def _find_event_id(free: list[Profile]) -> _Found | None:
    reason = "named like the id of an event, and different in every row"
    found = (p for p in free if tuple(words_of(p.name)) in EVENT_IDS and p.distinct == p.filled)
    return next((_Found(p, reason, SURE) for p in found), None)
