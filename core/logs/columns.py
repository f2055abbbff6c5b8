"""The columns of `source`, whatever kind of file they come from."""

from core.errors import BadInput
from core.logs.engine import quoted
from core.logs.mapping import tidy

MOST_COLUMNS = 2000  # every one is profiled, and becomes a part of each statement
_LONGEST_NAME = 200  # characters


def unique_names(raw: list[str]) -> list[str]:
    """Return a name for every column: tidied, numbered where it is empty or taken.

    Raises
    ------
    BadInput
        If there are none, or more than can be handled.
    """
    if not raw:
        raise BadInput("The file has no columns. Accepted: at least one that says who acts.")
    if len(raw) > MOST_COLUMNS:
        raise BadInput(
            f"The file has {len(raw):,} columns or more. Accepted: up to {MOST_COLUMNS:,}. "
            "Keep those that say who did what and when; is the delimiter the right one?"
        )
    columns: dict[str, str] = {}  # in lower case -> as named
    for number, name in enumerate(raw, start=1):
        column = base = _tidy_for_good(name[:_LONGEST_NAME]) or f"column_{number}"
        again = 1
        while column.lower() in columns:
            again += 1
            column = f"{base}_{again}"
        columns[column.lower()] = column
    return list(columns.values())


def _tidy_for_good(name: str) -> str:
    """Tidy until nothing changes: a mapping tidies the names it is given once more."""
    while (tidied := tidy(name)) != name:
        name = tidied
    return name


def check_same_columns(firsts: list[list[str]]) -> None:
    """Refuse files whose headers differ."""
    if other := [first for first in firsts if first != firsts[0]]:
        raise BadInput(
            f"The files have different columns: {', '.join(firsts[0])} and {', '.join(other[0])}. "
            "Accepted: files with the same header."
        )


def select_cells(columns: list[str]) -> str:
    """Return each column's cell of the list `cells`, as SQL."""
    return ", ".join(
        f"cells[{number}] AS {quoted(column)}" for number, column in enumerate(columns, start=1)
    )
