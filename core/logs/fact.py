"""What a fact is, in which order its SQL sees events, and which columns have facts of their own.

Most facts look at the events of a group in their order: an actor's, an item's, an actor's on one
item. Their SQL is for a table that lies in that order, group after group, each by time and then by
row: so its windows have no partition and nothing to sort, and DuckDB streams them. `"@at"` is an
event's place in the table, from 1, and `"@first"` that of the first event of its group.
"""

from dataclasses import dataclass
from typing import Literal

from core.logs.mapping import Mapping, extra_columns

Scope = Literal["actor", "log", "sequence"]
Bucketing = Literal["count", "seconds", "ratio", "category", "number"]


TURN = '"@at" - "@first" + 1'  # the event's place in its group
SO_FAR = "OVER (ROWS UNBOUNDED PRECEDING)"


@dataclass(frozen=True)
class Helper:
    """What facts are made of but nobody sees: an SQL expression, and the order it needs.

    `by` names the columns in which the events of a group are equal. Without any, the SQL looks at
    no other events, or says with PARTITION BY at which.
    """

    sql: str
    by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fact:
    """One fact: an SQL expression over events, which may name other facts and helpers.

    Scope `actor` needs the actor's events only, `log` those of others too, `sequence` is an
    aggregate over the events of one sequence. An event's fact of scope `log` needs all events with
    the same value of one column: `of` is its name. `words` holds one `{value}`. `by` is the order
    that the SQL needs, as of a `Helper`.
    """

    name: str
    sql: str
    scope: Scope
    bucketing: Bucketing
    words: str
    of: str | None = None
    by: tuple[str, ...] = ()


def previous(sql: str) -> str:
    """Return the value that an expression has for the group's event before this one, or NULL."""
    return f'CASE WHEN "@at" > "@first" THEN lag({sql}) OVER () END'


def following(sql: str) -> str:
    """Return the value that an expression has for the group's next event, or NULL."""
    return f'CASE WHEN lead("@first") OVER () = "@first" THEN lead({sql}) OVER () END'


def older(seconds: int, marked: str = "") -> str:
    """Count the events above, of earlier groups too, that are more than `seconds` older.

    Parameters
    ----------
    seconds
        Up to an hour.
    marked
        Count only those for which this helper is 1.
    """
    return f'"@older_{seconds}{marked}"'


def numeric_columns(mapping: Mapping) -> list[str]:
    """Return the canonical names of the columns that hold numbers."""
    extras = [name for name, kind in extra_columns(mapping).items() if kind == "numeric"]
    return ["amount", *extras] if mapping.roles.amount else extras


def entity_columns(mapping: Mapping) -> list[str]:
    """Return the canonical names of the columns that hold entities other than actor and item."""
    return [name for name, kind in extra_columns(mapping).items() if kind == "entity"]


def plain(name: str) -> str:
    """Return a column's name as words."""
    return name.strip("_").replace("_", " ")
