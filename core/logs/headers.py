"""Tell which row of a log holds the names of its columns, if one does."""

import re
from collections import Counter
from itertools import takewhile

from core.logs.vocabulary import is_known_name

_VALUE = re.compile(r"[-+$€£]?[\d.,:/ -]*\d[\d.,:/TZ -]*( UTC)?|true|false|null|nan", re.IGNORECASE)
_LONGEST_VALUE = 100  # characters; the pattern takes the square of them
_MOST_TITLES = 20  # rows above the header


def guess_header(rows: list[list[str]]) -> bool:
    """Tell whether the first row holds names: mostly filled, none a value or seen again below."""
    first, others = rows[0], rows[1:201]
    cells = [cell.strip() for cell in first]
    filled = [cell for cell in cells if cell]
    if len(filled) <= len(cells) / 2 or any(_is_value(cell) for cell in filled):
        return False
    below = [{row[n].strip() for row in others if n < len(row)} for n in range(len(cells))]
    if any(cell and cell in seen for cell, seen in zip(cells, below, strict=True)):
        return False
    if any(is_known_name(cell) for cell in filled):
        return True
    return any(_unlike(cell, seen) for cell, seen in zip(cells, below, strict=True))


def count_titles(rows: list[list[str]]) -> int:
    """Return how many rows, such as a title or comments, stand above one that holds names.

    Nought where no row holds names: then a short row may be a broken event.
    """
    width = usual_width(rows)
    titles = len(list(takewhile(lambda row: _is_title(row, width), rows[: _MOST_TITLES + 1])))
    below = rows[titles:]
    return titles if titles <= _MOST_TITLES and below and guess_header(below) else 0


def usual_width(rows: list[list[str]]) -> int:
    """Return how many fields most rows have."""
    widths = Counter(len(row) for row in rows[:200])
    return max(widths, key=lambda width: (widths[width], width))


def _is_title(row: list[str], width: int) -> bool:
    is_comment = row[0].startswith("#") and len(row) != width
    return is_comment or sum(bool(cell.strip()) for cell in row) <= width / 2


def _is_value(cell: str) -> bool:
    return len(cell) <= _LONGEST_VALUE and _VALUE.fullmatch(cell) is not None


def _unlike(cell: str, seen: set[str]) -> bool:
    """Tell whether `cell` has another shape than the values in its column."""
    if not seen or all(_is_value(value) or not value for value in seen):
        return True
    return _shape(cell) not in {_shape(value) for value in seen}


def _shape(value: str) -> str:
    return re.sub(r"[a-z]+", "a", re.sub(r"[A-Z]+", "A", re.sub(r"\d+", "0", value)))
