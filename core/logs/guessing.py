"""Guess the kind of a column; every guess has its reason and says how sure it is."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import duckdb

from core.logs.engine import quoted
from core.logs.profiling import Profile
from core.logs.times import is_count
from core.logs.vocabulary import (
    BROWSERS,
    CODES,
    DESCRIPTIONS,
    ENTITIES,
    LABELS,
    PERSONAL,
    words_of,
)
from core.wording import percent

# How far a guess can be trusted: below LIKELY somebody should look.
SURE: Final = 0.95  # name and content agree, or the content leaves no doubt
LIKELY: Final = 0.75  # one of the two says so, and the other does not speak against it
UNSURE: Final = 0.5  # one of the two says so, and something else would do as well

_MOST_COLUMNS = 40  # kept of a wide table, unless the analyst wants more
_FEW_CATEGORIES = 50  # surely a category
_MOST_CATEGORIES = 1000
_FEW_NUMBERS = 20  # different whole numbers that may be codes
_FEW_KINDS, _OFTEN = 8, 50  # so few values, each in so many rows, are kinds and identify nothing


@dataclass(frozen=True)
class Guess:
    """A proposed role or kind, why, and how sure."""

    what: str
    reason: str
    confidence: float  # in [0, 1]


def guess_kinds(con: duckdb.DuckDBPyConnection, profiles: list[Profile]) -> dict[str, Guess]:
    """Propose a kind for every column without a role; needs the table `sample`."""
    guesses = {profile.name: _guess_kind(profile) for profile in profiles}
    late = [p for p in profiles if p.timed > 0.9 and not p.is_number and p.missing > 0.5]
    for profile in late:
        guesses[profile.name] = Guess(
            "ignore",
            f"a time that only {percent(1 - profile.missing, 1)} of rows have: looks like an "
            "outcome",
            LIKELY,
        )
        for other in profiles:
            if other.distinct == 2 and _tells_the_same(con, other.name, profile.name):
                reason = f"says whether '{profile.name}' is filled: looks like a label"
                guesses[other.name] = Guess("ignore", reason, SURE)
    kept = [name for name, guess in guesses.items() if guess.what != "ignore"]
    for name in kept[_MOST_COLUMNS:]:
        reason = f"more than {_MOST_COLUMNS} columns; keep it if it matters"
        guesses[name] = Guess("ignore", reason, UNSURE)
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
        return Guess("ignore", "empty", SURE)
    if profile.distinct == 1 and profile.filled == profile.rows > 1:
        return Guess("ignore", "the same in every row", SURE)
    if is_label(profile):
        agrees = SURE if profile.distinct <= 2 else LIKELY
        return Guess("ignore", "named like a label; attach labels after the import", agrees)
    if _is_personal(words):
        return Guess("personal", "named like personal data", LIKELY)
    if profile.distinct == profile.filled > 20 and not _measures_something(profile):
        return Guess("ignore", "different in every row: nothing to learn from", LIKELY)
    if profile.timed > 0.9 and not is_count(profile.formats[0]):
        return Guess("ignore", "a second time", LIKELY)
    if profile.is_number:
        return _guess_number(profile, words)
    return _guess_text(profile, words)


def _guess_number(profile: Profile, words: list[str]) -> Guess:
    if profile.whole <= 0.98 and words[-1:] != ["id"]:  # 17.0 is an id that went through pandas
        return Guess("numeric", "numbers", SURE)
    if _names_entity(words) and _tells_apart(profile):
        return Guess("entity", "identifies something that can be shared", SURE)
    if CODES & set(words):
        return Guess("categorical", "a code, though written as a number", SURE)
    if set(words[-1:]) & {"id", "ids", "no", "key"} or (profile.lowest or 0) > 1e7:
        return _few_or_many(profile)
    if profile.distinct <= _FEW_NUMBERS:
        return Guess("numeric", "whole numbers, but so few different ones may be codes", UNSURE)
    return Guess("numeric", "numbers", LIKELY)


def _guess_text(profile: Profile, words: list[str]) -> Guess:
    if profile.lists > 0.5 and not BROWSERS & set(words):
        return Guess("ignore", "lists of values", LIKELY)
    if _names_entity(words) and _tells_apart(profile):
        return Guess("entity", "identifies something that can be shared", SURE)
    if CODES & set(words):
        return Guess("categorical", "a code or category", SURE)
    if profile.words > 2.5 and profile.distinct > 100:
        return Guess("text", "free text", LIKELY)
    return _few_or_many(profile)


def _few_or_many(profile: Profile) -> Guess:
    values = f"{profile.distinct:,} different value{'s' * (profile.distinct != 1)}"
    if profile.distinct <= _MOST_CATEGORIES:
        sure = LIKELY if profile.distinct <= _FEW_CATEGORIES else UNSURE
        return Guess("categorical", values, sure)
    few = (
        " of which few come back" if profile.distinct > 0.9 * profile.filled else " that come back"
    )
    return Guess("entity", f"{values}{few}", UNSURE)


def _tells_apart(profile: Profile) -> bool:
    """Tell whether there are more values than kinds have: a mobile is no device, a tier nobody."""
    return profile.distinct > _FEW_KINDS or profile.filled < _OFTEN * profile.distinct


def _measures_something(profile: Profile) -> bool:
    return profile.is_number and profile.whole < 0.98


def _names_entity(words: list[str]) -> bool:
    joined = {"_".join(pair) for pair in pairwise(words)}
    return bool(ENTITIES & joined or (ENTITIES & set(words) and not DESCRIPTIONS & set(words)))


def _is_personal(words: list[str]) -> bool:
    joined = {"".join(pair) for pair in pairwise(words)}
    return bool(PERSONAL & ({*words} | joined)) and "ip" not in words


def is_label(profile: Profile) -> bool:
    """Tell whether a column is named like an outcome that labels would hold."""
    words = words_of(profile.name)
    return bool(LABELS & set(words)) and (
        profile.distinct <= 2 or (profile.name.isascii() and profile.name.lower() in LABELS)
    )
