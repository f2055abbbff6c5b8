"""Guess how a text log is written: kind, delimiter, header."""

import io
import re
from collections import Counter
from pathlib import Path
from typing import Any, Literal

from core.errors import BadInput
from core.logs.access_log import is_access_log
from core.logs.fixed_width import cut, find_gaps, is_fixed_width
from core.logs.headers import count_titles, guess_header
from core.logs.json_lists import guess_events
from core.logs.json_records import is_json_lines
from core.logs.lines import MARK, RESERVED, records
from core.logs.mapping import Format
from core.logs.sources import ACCEPTED

HEAD = 1 << 18  # characters
_DELIMITERS = ("\t", ",", ";", "|", "::")
_AS_GOOD = 0.05  # difference of two shares of lines
_ARRAY = re.compile(r"\[\s*[\[{\]]")

Kind = Literal["csv", "jsonl", "json", "access_log"]


def read_head(plain: Path, encoding: str) -> str:
    """Return the first lines of a file, without blank ones.

    Raises
    ------
    BadInput
        If there is nothing on them, or the encoding does not exist.
    """
    try:
        with plain.open(encoding=encoding, errors="replace") as stream:
            text = stream.read(HEAD)
    except (LookupError, UnicodeError) as error:
        raise BadInput(
            f"'{plain.name}' cannot be read as {encoding}: {error}. Accepted: the name of an "
            "encoding, such as utf-8, latin-1 or utf-16."
        ) from error
    return first_lines(text.translate(RESERVED), is_cut=len(text) == HEAD)


def first_lines(text: str, *, is_cut: bool) -> str:
    """Drop blank lines, and the last one where the text is cut off."""
    if is_cut and "\n" in text:
        text = text[: text.rindex("\n")]
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        raise BadInput(f"The file holds no line with anything on it. {ACCEPTED}.")
    return "\n".join(lines)


def guess_kind(head: str) -> Kind:
    """Tell what the first lines look like; text in columns counts as CSV."""
    if head.startswith("{"):
        return "jsonl" if is_json_lines(head) else "json"
    if _ARRAY.match(head):
        return "json"
    return "access_log" if is_access_log(head.split("\n")) else "csv"


def guess_layout(head: str, encoding: str, given: Format | None) -> Format:
    """Complete `given` with what the first lines of the file show.

    Raises
    ------
    BadInput
        If they are not in columns though `given` says so.
    """
    known = given.model_dump(exclude_unset=True, exclude_none=True) if given is not None else {}
    known["encoding"] = encoding
    kind = known.setdefault("kind", guess_kind(head))
    below = head.split("\n")[known.get("skip", 0) :]
    if kind == "csv" and below and not {"delimiter", "kind"} & _fields_of(given):
        kind = known["kind"] = _columns_kind("\n".join(below))
    if kind == "fixed":
        gaps = find_gaps(below) if below else []
        if not gaps:
            raise BadInput(f"The text has no columns of a fixed width. {ACCEPTED}.")
        known.setdefault("header", guess_header([cut(line, gaps) for line in below]))
    elif kind == "csv":
        known.setdefault("delimiter", guess_delimiter(head))
        complete_header(known, split_fields(head, known["delimiter"]))
    elif kind in ("json", "jsonl") and "each" not in _fields_of(given):
        known["each"] = guess_events(head)
    return Format(**known)


def complete_header(known: dict[str, Any], rows: list[list[str]]) -> None:
    """Complete what is known of a format with where the names of the columns stand.

    Raises
    ------
    BadInput
        If it skips all of these rows.
    """
    if "skip" not in known:
        known["skip"] = count_titles(rows) if known.get("header", True) else 0
    if known["skip"] >= len(rows):
        raise BadInput(
            f"The format skips {known['skip']:,} rows, and so all of the first {len(rows):,}. "
            "Accepted: as many as stand above the header or the first event."
        )
    known.setdefault("header", guess_header(rows[known["skip"] :]))


def _fields_of(given: Format | None) -> set[str]:
    return set() if given is None else given.model_fields_set


def _columns_kind(head: str) -> Literal["csv", "fixed"]:
    """Tell text in columns that keep their places from text with a delimiter."""
    delimiter, share = _best_delimiter(head)
    lines = head.split("\n")
    spaced = delimiter == " " or share == 0
    return "fixed" if spaced and "\t" not in head and is_fixed_width(lines) else "csv"


def split_fields(head: str, delimiter: str) -> list[list[str]]:
    """Split the first lines of a file into fields."""
    if delimiter == " ":
        return [line.split() for line in head.split("\n")]
    if len(delimiter) > 1:
        return [line.split(delimiter) for line in head.split("\n")]
    marked = io.StringIO("\n".join(MARK + line for line in head.split("\n")))
    return [fields for _, _, fields in records(marked, delimiter)]


def guess_delimiter(head: str) -> str:
    """Return the delimiter that cuts the lines into the same number of fields most often."""
    return _best_delimiter(head)[0]


def _best_delimiter(head: str) -> tuple[str, float]:
    """Return it with the share of lines that it cuts alike; a comma and nought for none.

    Of two that do as well the one that cuts the header, too, is taken: a decimal comma can stand
    once in every other line.
    """
    lines = "\n".join(head.split("\n")[:1000])
    best, best_share, best_cuts_first = ",", 0.0, False
    for delimiter in (*_DELIMITERS, " "):
        widths = [len(fields) for fields in split_fields(lines, delimiter)]
        usual, rows = Counter(widths).most_common(1)[0]
        share, cuts_first = rows / len(widths), widths[0] == usual and delimiter != " "
        margin = _AS_GOOD if best_cuts_first or not cuts_first else -_AS_GOOD
        if usual > 1 and share > best_share + margin:
            best, best_share, best_cuts_first = delimiter, share, cuts_first
    return best, best_share
