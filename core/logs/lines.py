"""Text of any encoding and quoting as plain lines, so that DuckDB can split it in parallel.

Every staged line starts with `MARK` (a blank line would be skipped and the numbers be wrong); one
that ends with it, too, is the beginning of a line that was too long to be an event.

Where the text has quotes, a staged line is one *record*: line number, raw text and fields,
parted by `PART`, with the line breaks inside fields held as `BREAK`.
"""

import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

MARK, PART, BREAK, DELIMITER = "\x02", "\x1f", "\x1e", "\x01"
LONGEST_LINE = 8_000_000  # characters
_CHUNK = 1 << 22  # characters; shorter than the longest line
_KEPT = 1000  # characters of a longer one
_LONGEST_RECORD = 100  # lines; a quote that is still open then was never meant to be one
RESERVED = {ord(char): " " for char in (MARK, PART, BREAK, DELIMITER, "\0")}

csv.field_size_limit(1 << 27)


def stage_lines(plain: Path, target: Path, encoding: str, limit: int | None = None) -> bool:
    """Write the lines of `plain` to `target`, in UTF-8; tell whether any holds a quote.

    With a `limit` (characters) the last, broken line is left out.
    """
    has_quotes = False
    with (
        plain.open(encoding=encoding, errors="replace") as source,
        target.open("w", encoding="utf-8", newline="\n") as staged,
    ):
        staged.write(MARK)
        for text in _whole_lines(source, limit):
            has_quotes = has_quotes or '"' in text
            staged.write(text.replace("\n", "\n" + MARK))
    return has_quotes


def _whole_lines(source: TextIO, limit: int | None) -> Iterator[str]:
    """Yield a text in pieces that end with a line; no more than the longest line is ever held.

    What is left out of a line that is too long does not count towards the limit.
    """
    begun, is_long, found = "", False, False  # the line that a piece broke off; any piece at all
    left = limit
    while chunk := source.read(_CHUNK if left is None else min(_CHUNK, left)).translate(RESERVED):
        if left is not None and not is_long:
            left -= len(chunk)
        end, line_end, others = chunk.partition("\n")
        if not is_long:
            begun += end
        if len(begun) > LONGEST_LINE:
            begun, is_long = begun[:_KEPT] + MARK, True
        if line_end:
            whole, last_end, rest = others.rpartition("\n")
            yield begun + line_end + whole + last_end
            begun, is_long, found = rest, False, True
    if begun and not (found and left == 0):
        yield begun


def stage_records(lines: Path, target: Path, delimiter: str) -> None:
    """Write quoted lines that `stage_lines` wrote as one record per line."""
    with (
        lines.open(encoding="utf-8", newline="\n") as source,
        target.open("w", encoding="utf-8", newline="\n") as staged,
    ):
        for line, raw, fields in records(source, delimiter):
            parts = PART.join([str(line), raw, *fields])
            staged.write(MARK + parts.replace("\n", BREAK) + "\n")


def records(source: TextIO, delimiter: str) -> Iterator[tuple[int, str, list[str]]]:
    """Yield line number, raw text and fields of every record.

    A record that spans lines was opened by a stray quote if its number of fields differs from the
    first one's or its quotes do not add up: then its first line is taken alone and the rest is read
    again. One that was too long is a record of its own, whose only field is `MARK`.
    """
    numbered = enumerate((line[1:].removesuffix("\n") for line in source), start=1)
    waiting: deque[tuple[int, str]] = deque()
    expected: int | None = None
    while taken := _next_record(numbered, waiting, delimiter):
        if taken[0][1].endswith(MARK):
            yield taken[0][0], taken[0][1].removesuffix(MARK), [MARK]
        elif not (len(taken) == 1 and not taken[0][1].strip()):
            raw = "\n".join(text for _, text in taken)
            fields = _parse(raw, delimiter)
            if len(taken) > 1 and not (
                len(fields) == (expected or len(fields)) and _adds_up(raw, delimiter)
            ):
                waiting.extendleft(reversed(taken[1:]))
                raw = taken[0][1]
                fields = _parse(raw, delimiter)
            expected = expected or len(fields)
            yield taken[0][0], raw, fields


def _next_record(
    numbered: Iterator[tuple[int, str]], waiting: deque[tuple[int, str]], delimiter: str
) -> list[tuple[int, str]]:
    taken: list[tuple[int, str]] = []
    size = 0
    while len(taken) < _LONGEST_RECORD:
        following = waiting.popleft() if waiting else next(numbered, None)
        if following is None:
            break
        if taken and (following[1].endswith(MARK) or size + len(following[1]) > LONGEST_LINE):
            waiting.appendleft(following)
            break
        taken.append(following)
        size += len(following[1])
        if not _is_open(taken, delimiter):
            break
    return taken


def _is_open(taken: list[tuple[int, str]], delimiter: str) -> bool:
    if len(taken) == 1 and ('"' not in taken[0][1] or taken[0][1].endswith(MARK)):
        return False
    if len(taken) > 1 and '"' not in taken[-1][1]:
        return True
    try:
        next(csv.reader(["\n".join(text for _, text in taken)], delimiter=delimiter, strict=True))
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False


def _adds_up(raw: str, delimiter: str) -> bool:
    try:
        next(csv.reader([raw], delimiter=delimiter, strict=True))
    except csv.Error:
        return False
    return True


def _parse(raw: str, delimiter: str) -> list[str]:
    if '"' not in raw:
        return raw.split(delimiter)
    return next(csv.reader([raw], delimiter=delimiter), [""])
