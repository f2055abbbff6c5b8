"""Guess which column plays which part, by its name and its content."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from core.logs.guessing import LIKELY, SURE, UNSURE, Guess, is_label
from core.logs.profiling import Profile
from core.logs.vocabulary import (
    ACTIONS,
    ACTORS,
    AMOUNTS,
    DEEDS,
    DESCRIPTIONS,
    EVENT_IDS,
    ITEMS,
    OTHER_TIMES,
    PARTS_OF_AMOUNTS,
    PEOPLE,
    SESSIONS,
    TIMES,
    words_of,
)
from core.wording import percent

_GROWS: Final = 0.95  # share of times not before the one above, in a log written as it happened

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
    finders: dict[str, Callable[[], _Found | None]] = {
        "time": lambda: _find_time(free, named),
        "session": lambda: _by_words(free, SESSIONS, _groups, "its values come back"),
        "actor": lambda: _find_actor(free),
        "action": lambda: _find_action(free),
        "item": lambda: _find_item(free, named, "actor" in roles),
        "amount": lambda: _by_words(free, AMOUNTS, _is_amount, "holds numbers"),
        "event_id": lambda: _find_event_id(free),
    }
    for role, find in finders.items():
        if role in roles and (one := find()) is not None:
            found[role] = one
            free.remove(one.profile)
    if "actor" in roles and "actor" not in found and "session" in found:
        session = found.pop("session").profile  # all we know of who acts
        found["actor"] = _Found(session, "nothing else says who acts: each session does", UNSURE)
    return {
        one.profile.name: Guess(role, one.reason, one.confidence) for role, one in found.items()
    }


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
    best = max(candidates, key=lambda p: (worth[p.name], -_rank(p)))
    growing = " that grow with the rows" if _grows(best, most) else ""
    called = f"named like '{_time_word(best)}'" if _is_called_a_time(best) else "no name says when"
    reason = f"{called}, and {percent(best.timed)} of its values are times{growing}"
    rivals = [p.name for p in candidates if p is not best and worth[p.name] == worth[best.name]]
    if rivals:
        return _Found(best, f"{reason}; '{rivals[0]}' would do as well", UNSURE)
    if _is_called_a_time(best):
        return _Found(best, reason, SURE if best.timed > 0.9 else LIKELY)
    return _Found(best, reason, LIKELY if growing else UNSURE)


def _worth(profile: Profile, most: int) -> int:
    """Weigh what speaks for the time of the event."""
    return 2 * _is_called_a_time(profile) + _grows(profile, most) - 3 * _is_other_time(profile)


def _grows(profile: Profile, most: int) -> bool:
    # What stays the same for long, such as a registration, may grow along with its actors.
    return profile.rising >= _GROWS and 2 * profile.distinct >= most


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
    return days or (low >= 1e9 and high <= 2e9) or (low >= 1e12 and high <= 2e12)


def _is_key(profile: Profile) -> bool:
    return not profile.is_number or profile.whole > 0.98


def _identifies(profile: Profile) -> bool:
    return _is_key(profile) and profile.repeats


def _groups(profile: Profile) -> bool:
    return _is_key(profile) and (profile.repeats or profile.distinct == 1)


def _looks_like_an_id(profile: Profile) -> bool:
    """Tell ids by content alone: no spaces, digits or capitals, many and coming back."""
    if not _identifies(profile) or profile.words > 1.05 or profile.distinct < 3:
        return False
    if profile.is_number:
        return (profile.lowest or 0) >= 1000 and profile.distinct > 0.01 * profile.filled
    return profile.length < 60 and profile.timed < 0.5 and profile.distinct > 0.01 * profile.filled


def _first_id(free: list[Profile]) -> _Found | None:
    reason = "no name says it; the values look like ids that come back"
    found = (_Found(p, reason, UNSURE) for p in free if _looks_like_an_id(p))
    return next(found, None)


def _find_actor(free: list[Profile]) -> _Found | None:
    named = [p for p in free if not DESCRIPTIONS & set(words_of(p.name))]
    return (
        _by_words(named, ACTORS, _identifies, "its values come back")
        or _by_words(named, PEOPLE, _is_key, "yet no value comes back", UNSURE)
        or _first_id(free)
    )


def _find_item(free: list[Profile], named: bool, actor_is_open: bool) -> _Found | None:
    found = _by_words(free, ITEMS, _is_item, "its values can be ids")
    if found is None and not named and actor_is_open:
        found = _first_id(free)
    return found


def _is_item(profile: Profile) -> bool:
    names = {"name", "title", "category", "brand", "type", "description", "count", "number"}
    return _is_key(profile) and not names & set(words_of(profile.name))


def _find_action(free: list[Profile]) -> _Found | None:
    found = _by_words(free, ACTIONS, _is_action, "has few different values")
    if found is None:
        deeds = [p for p in free if _is_action(p) and (p.example or "").lower() in DEEDS]
        reason = "no name says it; the values look like actions"
        found = next((_Found(p, reason, LIKELY) for p in deeds), None)
    return found


def _is_action(profile: Profile) -> bool:
    names = {"id", "time", "date", "ts"}
    few = profile.distinct <= max(200, profile.filled // 100)
    return few and not profile.is_number and not names & set(words_of(profile.name))


def _is_amount(profile: Profile) -> bool:
    return profile.is_number and not PARTS_OF_AMOUNTS & set(words_of(profile.name))


def _find_event_id(free: list[Profile]) -> _Found | None:
    reason = "named like the id of an event, and different in every row"
    found = (p for p in free if tuple(words_of(p.name)) in EVENT_IDS and p.distinct == p.filled)
    return next((_Found(p, reason, SURE) for p in found), None)
