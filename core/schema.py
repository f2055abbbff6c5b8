"""Names of the canonical columns: the only place where they are spelled."""

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


DEFAULT_ACTION: Final = "event"  # the action of a log that has no action column
