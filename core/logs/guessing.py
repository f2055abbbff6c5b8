"""Guess the role or the kind of a column; every guess has its reason in plain words."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import duckdb

from core.logs.engine import quoted
from core.logs.mapping import Kind
from core.logs.profiling import Profile

_MOST_COLUMNS = 40  # kept of a wide table, unless the analyst wants more
_MOST_CATEGORIES = 1000

Fits = Callable[[Profile], bool]


def _each(words: str) -> tuple[str, ...]:
    return tuple(words.split())


# Words in a column's name, the more telling first.
_PEOPLE = _each(
    "user customer buyer visitor member account client shopper reviewer player uid person actor"
)
_ACTORS = (*_PEOPLE, *_each("author seq trace case shop seller merchant store ip"))
_ITEMS = _each(
    "item product sku asin article goods listing offer movie book song reference content page url "
    "shop store merchant seller"
)
_ACTIONS = _each("action event activity behavior behaviour operation verb template type method")
_AMOUNTS = _each("amount price total revenue paid cost gmv value spend")
_TIMES = _each("time timestamp ts date datetime created at day when")
_EVENT_IDS = {(word, "id") for word in ("event", "log", "click", "request", "message")}
_ENTITIES = {
    *_ACTORS,
    *_each("device_id card coupon voucher fingerprint iban cookie referrer session"),
}
_CODES = {
    *_each("app os channel device platform browser country region city category brand code"),
    *_each("language currency status version"),
}
_PERSONAL = {
    *_each("email mail phone mobile firstname lastname surname fullname birthday birthdate"),
    *_each("address street passport ssn"),
}
_LABELS = {
    *_each("label fraud fraudulent spam spammer anomaly abuse abusive target outcome attributed"),
    *_each("churned converted chargeback brushed"),
}


@dataclass(frozen=True)
class Guess:
    """A proposed kind and why."""

    what: Kind
    reason: str


def words_of(name: str) -> list[str]:
    """Split a column's name into its words: `userID` -> user, id."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    words = re.findall(r"[a-z]+|\d+", spaced.lower())
    return [part for word in words for part in _unglue(word)]


def is_known_name(name: str) -> bool:
    """Tell whether `name` reads like the name of a column."""
    known = {*_ACTORS, *_ITEMS, *_ACTIONS, *_AMOUNTS, *_TIMES, "session", "id"}
    return bool(known & set(words_of(name)))


def _unglue(word: str) -> list[str]:
    """Part what is written together: `userid` -> user, id."""
    if word.endswith("id") and word.removesuffix("id") in {*_ACTORS, *_ITEMS, "order", "session"}:
        return [word.removesuffix("id"), "id"]
    return [word]


def guess_roles(profiles: list[Profile], roles: list[str], *, named: bool) -> dict[str, str]:
    """Propose columns for `roles`; `named` is False where the file has no header."""
    free = [p for p in profiles if p.filled and not _is_label(p)]
    found: dict[str, str] = {}
    finders: dict[str, Callable[[], Profile | None]] = {
        "time": lambda: _find_time(free, named),
        "session": lambda: _by_words(free, ("session", "visit"), _groups),
        "actor": lambda: _find_actor(free),
        "action": lambda: _by_words(free, _ACTIONS, _is_action),
        "item": lambda: _find_item(free, named, "actor" in roles),
        "amount": lambda: _by_words(free, _AMOUNTS, _is_amount),
        "event_id": lambda: next((p for p in free if _is_event_id(p)), None),
    }
    for role, find in finders.items():
        if role in roles and (profile := find()) is not None:
            found[role] = profile.name
            free.remove(profile)
    if "actor" in roles and "actor" not in found and "session" in found:
        found["actor"] = found.pop("session")  # the session is all we know of who acts
    return found


def guess_kinds(con: duckdb.DuckDBPyConnection, profiles: list[Profile]) -> dict[str, Guess]:
    """Propose a kind for every column without a role; needs the table `sample`."""
    guesses = {profile.name: _guess_kind(profile) for profile in profiles}
    late = [p for p in profiles if p.timed > 0.9 and not p.is_number and p.missing > 0.5]
    for profile in late:
        guesses[profile.name] = Guess(
            "ignore",
            f"a time that only {1 - profile.missing:.1%} of rows have: looks like an outcome",
        )
        for other in profiles:
            if other.distinct == 2 and _tells_the_same(con, other.name, profile.name):
                guesses[other.name] = Guess(
                    "ignore", f"says whether '{profile.name}' is filled: looks like a label"
                )
    kept = [name for name, guess in guesses.items() if guess.what != "ignore"]
    for name in kept[_MOST_COLUMNS:]:
        guesses[name] = Guess("ignore", f"more than {_MOST_COLUMNS} columns; keep it if it matters")
    return guesses


def _tells_the_same(con: duckdb.DuckDBPyConnection, binary: str, late: str) -> bool:
    row = con.execute(
        f"""SELECT count(DISTINCT ({quoted(binary)}, {quoted(late)} IS NULL)),
            count(DISTINCT {quoted(late)} IS NULL) FROM sample"""
    ).fetchone()
    return row == (2, 2)


def _guess_kind(profile: Profile) -> Guess:
    words = words_of(profile.name)
    if profile.filled == 0:
        return Guess("ignore", "empty")
    if profile.distinct == 1 and profile.filled == profile.rows > 1:
        return Guess("ignore", "the same in every row")
    if _is_label(profile):
        return Guess("ignore", "named like a label; attach labels after the import")
    if _is_personal(words):
        return Guess("personal", "named like personal data")
    if profile.distinct == profile.filled > 20 and not _measures_something(profile):
        return Guess("ignore", "different in every row: nothing to learn from")
    if profile.is_number:
        return _guess_number(profile, words)
    return _guess_text(profile, words)


def _guess_number(profile: Profile, words: list[str]) -> Guess:
    if profile.whole > 0.98:
        if _names_entity(words):
            return Guess("entity", "identifies something that can be shared")
        if _CODES & set(words):
            return Guess("categorical", "a code, though written as a number")
        if words[-1] in ("id", "ids", "no", "key") or (profile.lowest or 0) > 1e7:
            return _few_or_many(profile)
    return Guess("numeric", "numbers")


def _guess_text(profile: Profile, words: list[str]) -> Guess:
    if profile.lists > 0.5:
        return Guess("ignore", "lists of values")
    if profile.timed > 0.9:
        return Guess("ignore", "a second time")
    if _names_entity(words):
        return Guess("entity", "identifies something that can be shared")
    if _CODES & set(words):
        return Guess("categorical", "a code or category")
    if profile.words > 2.5 and profile.distinct > 100:
        return Guess("text", "free text")
    return _few_or_many(profile)


def _few_or_many(profile: Profile) -> Guess:
    if profile.distinct <= _MOST_CATEGORIES:
        return Guess("categorical", f"{profile.distinct} different values")
    return Guess("entity", f"{profile.distinct} different values that come back")


def _measures_something(profile: Profile) -> bool:
    return profile.is_number and profile.whole < 0.98


def _names_entity(words: list[str]) -> bool:
    joined = {"_".join(pair) for pair in pairwise(words)}
    return bool(_ENTITIES & ({*words} | joined))


def _is_personal(words: list[str]) -> bool:
    joined = {"".join(pair) for pair in pairwise(words)}
    return bool(_PERSONAL & ({*words} | joined)) and "ip" not in words


def _is_label(profile: Profile) -> bool:
    return bool(_LABELS & set(words_of(profile.name))) and (
        profile.distinct <= 2 or profile.name.lower() in _LABELS
    )


def _by_words(free: list[Profile], wanted: Sequence[str], fits: Fits) -> Profile | None:
    for word in wanted:
        for profile in free:
            if word in words_of(profile.name) and fits(profile):
                return profile
    return None


def _find_time(free: list[Profile], named: bool) -> Profile | None:
    times = [p for p in free if p.timed > 0.5 and p.missing < 0.5]
    by_name = _by_words(times, _TIMES, lambda profile: not _is_small_number(profile))
    if by_name is not None:
        return by_name
    for profile in times:
        written_out = profile.timed > 0.95 and not profile.is_number
        if written_out or (not named and _is_recent_epoch(profile)):
            return profile
    return None


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


def _find_actor(free: list[Profile]) -> Profile | None:
    found = _by_words(free, _ACTORS, _identifies) or _by_words(free, _PEOPLE, _is_key)
    return found or next((p for p in free if _looks_like_an_id(p)), None)


def _find_item(free: list[Profile], named: bool, actor_is_open: bool) -> Profile | None:
    found = _by_words(free, _ITEMS, _is_item)
    if found is None and not named and actor_is_open:
        found = next((p for p in free if _looks_like_an_id(p)), None)
    return found


def _is_item(profile: Profile) -> bool:
    names = {"name", "title", "category", "brand", "type", "description", "count", "number"}
    return _is_key(profile) and not names & set(words_of(profile.name))


def _is_action(profile: Profile) -> bool:
    names = {"id", "time", "date", "ts"}
    few = profile.distinct <= max(200, profile.filled // 100)
    return few and not profile.is_number and not names & set(words_of(profile.name))


def _is_amount(profile: Profile) -> bool:
    return profile.is_number


def _is_event_id(profile: Profile) -> bool:
    words = tuple(words_of(profile.name))
    return words in _EVENT_IDS and profile.distinct == profile.filled
