"""Names of canonical columns and of schemes of abuse: the only place where they are spelled."""

import re
from typing import Final


class Column:
    """Columns of canonical events and sequences."""

    SEQUENCE: Final = "sequence_id"
    ACTOR: Final = "actor_id"
    SESSION: Final = "session_id"
    EVENT_ID: Final = "event_id"
    TIME: Final = "ts"  # UTC; null throughout when the log has no time
    ROW: Final = "row"  # 1-based data row in the source
    POSITION: Final = "position"  # 0-based within the sequence
    ACTION: Final = "action"
    ITEM: Final = "item"
    AMOUNT: Final = "amount"
    EVENTS: Final = "events"  # number of events of a sequence
    FIRST: Final = "first_ts"
    LAST: Final = "last_ts"
    PARTITION: Final = "partition"
    SCORE: Final = "score"  # in [0, 1]
    LIKELY_SCHEME: Final = "likely_scheme"  # what the model would call it, if it is abuse
    LIKELY_SHARE: Final = "likely_share"  # how sure it is of that, in [0, 1]


class Trust:
    """Columns of sequences that say how far to trust their score; a model never sees them."""

    MISSING: Final = "missing_events"  # lack a value that the log nearly always has
    LATE: Final = "late_events"  # stand in the file after newer ones
    REPEATED: Final = "repeated_events"  # equal an earlier one in every column
    OUTLIERS: Final = "outlier_events"  # hold a number far outside the usual
    CUT: Final = "was_cut"  # one part of a sequence longer than max_events

    COLUMNS: Final = (MISSING, LATE, REPEATED, OUTLIERS, CUT)


OTHER_SCHEME: Final = "other"
LONGEST_SCHEME: Final = 40  # characters of a name
SCHEMES: Final = {  # name -> in words; others may be named too
    "fake_orders": "Fake orders",
    "click_farm": "Click farm",
    "scraper": "Bot or price scraper",
    "review_spam": "Review spam",
    "coupon_abuse": "Coupon abuse",
    "price_manipulation": "Price manipulation",
    "account_takeover": "Account takeover",
    OTHER_SCHEME: "Something else",
}


def scheme_words(name: str) -> str:
    """Say the name of a scheme."""
    return SCHEMES.get(name, name.replace("_", " ").capitalize())


def scheme_name(words: str) -> str:
    """Return the name of the scheme that somebody calls `words`."""
    plain = re.sub(r"\W+", "_", words.strip().lower()).strip("_")
    known = {re.sub(r"\W+", "_", said.lower()): name for name, said in SCHEMES.items()}
    return known.get(plain, plain)


DEFAULT_ACTION: Final = "event"  # the action of a log that has no action column

# Which values of a category or an entity get tokens of their own; the others fold to `other`.
MIN_COUNT: Final = {"category": 5, "entity": 2}  # times a value is seen at least
MAX_VALUES: Final = {"category": 300, "entity": 8000}  # the commonest that are kept
