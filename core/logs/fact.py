"""What a fact is, and which columns of a mapping have facts of their own."""

from dataclasses import dataclass
from typing import Literal

from core.logs.mapping import Mapping, extra_columns

Scope = Literal["actor", "log", "sequence"]
Bucketing = Literal["count", "seconds", "ratio", "category", "number"]


@dataclass(frozen=True)
class Fact:
    """One fact: an SQL expression over events, which may name other facts and helpers.

    Scope `actor` needs the actor's events only, `log` those of others too, `sequence` is an
    aggregate over the events of one sequence. An event's fact of scope `log` needs all events with
    the same value of one column: `of` is its name. `words` holds one `{value}`.
    """

    name: str
    sql: str
    scope: Scope
    bucketing: Bucketing
    words: str
    of: str | None = None


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
