"""Guess how a text log is written: encoding, delimiter, header."""

import codecs
import csv
import re
from collections import Counter
from pathlib import Path

from core.errors import BadInput
from core.logs.mapping import Format
from core.logs.sources import ACCEPTED
from core.logs.vocabulary import is_known_name

_HEAD = 1 << 18
_DELIMITERS = ("\t", ",", ";", "|")
_BYTE_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_VALUE = re.compile(r"[-+$€£]?[\d.,:/ -]*\d[\d.,:/TZ -]*( UTC)?|true|false|null|nan", re.IGNORECASE)


def guess_encoding(plain: Path) -> str:
    """Return the encoding that the first bytes speak for.

    Raises
    ------
    BadInput
        If they are not text.
    """
    with plain.open("rb") as stream:
        head = stream.read(_HEAD)
    for mark, encoding in _BYTE_MARKS.items():
        if head.startswith(mark):
            return encoding
    control = sum(head.count(bytes([byte])) for byte in range(9))
    if control > len(head) // 1000:
        raise BadInput(f"'{plain.name}' is not text (it holds control bytes). {ACCEPTED}.")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def guess_layout(head: str, encoding: str, given: Format | None) -> Format:
    """Complete `given` with what the first lines of the file show.

    Raises
    ------
    BadInput
        If they look like no kind of log.
    """
    known = given.model_dump(exclude_unset=True, exclude_none=True) if given is not None else {}
    known["encoding"] = encoding
    if "kind" not in known:
        known["kind"] = "jsonl" if head.startswith("{") else "csv"
    if known["kind"] == "jsonl":
        return Format(**known)
    if head.startswith("["):
        raise BadInput(f"The file looks like one JSON array. {ACCEPTED}: one JSON object per line.")
    known.setdefault("delimiter", guess_delimiter(head))
    known.setdefault("header", guess_header(split_fields(head, known["delimiter"])))
    return Format(**known)


def split_fields(head: str, delimiter: str) -> list[list[str]]:
    """Split the first lines of a file into fields."""
    if delimiter == " ":
        return [line.split() for line in head.split("\n")]
    try:
        return [row for row in csv.reader(head.split("\n"), delimiter=delimiter) if row]
    except csv.Error:
        return [line.split(delimiter) for line in head.split("\n")]


def guess_delimiter(head: str) -> str:
    """Return the delimiter that cuts the lines into the same number of fields most often."""
    lines = "\n".join(head.split("\n")[:1000])
    best, best_share = ",", 0.0
    for delimiter in (*_DELIMITERS, " "):
        counts = Counter(len(fields) for fields in split_fields(lines, delimiter))
        fields, rows = counts.most_common(1)[0]
        share = rows / counts.total()
        if fields > 1 and share > best_share + 0.05:
            best, best_share = delimiter, share
    return best


def guess_header(rows: list[list[str]]) -> bool:
    """Tell whether the first row holds names: mostly filled, none a value or seen again below."""
    first, others = rows[0], rows[1:201]
    cells = [cell.strip() for cell in first]
    filled = [cell for cell in cells if cell]
    if len(filled) <= len(cells) / 2 or any(_VALUE.fullmatch(cell) for cell in filled):
        return False
    below = [{row[n].strip() for row in others if n < len(row)} for n in range(len(cells))]
    if any(cell and cell in seen for cell, seen in zip(cells, below, strict=True)):
        return False
    if any(is_known_name(cell) for cell in filled):
        return True
    return any(_unlike(cell, seen) for cell, seen in zip(cells, below, strict=True))


def _unlike(cell: str, seen: set[str]) -> bool:
    """Tell whether `cell` has another shape than the values in its column."""
    if not seen or all(_VALUE.fullmatch(value) or not value for value in seen):
        return True
    return _shape(cell) not in {_shape(value) for value in seen}


def _shape(value: str) -> str:
    return re.sub(r"[a-z]+", "a", re.sub(r"[A-Z]+", "A", re.sub(r"\d+", "0", value)))
