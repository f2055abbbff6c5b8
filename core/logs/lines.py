"""Text of any encoding and quoting as plain lines, so that DuckDB can split it in parallel.

Every staged line starts with `MARK` (a blank line would be skipped and the numbers be wrong).
Where the text has quotes, a staged line is one *record*: line number, raw text and fields,
parted by `PART`, with the line breaks inside fields held as `BREAK`.
"""

import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from core.errors import BadInput
from core.logs.sources import ACCEPTED

MARK, PART, BREAK, DELIMITER = "\x02", "\x1f", "\x1e", "\x01"
_CHUNK = 1 << 22
_HEAD = 1 << 18  # characters that the layout is guessed from
_LONGEST_RECORD = 100  # lines; a quote that is still open then was never meant to be one
_RESERVED = {ord(char): " " for char in (MARK, PART, BREAK, DELIMITER, "\0")}

csv.field_size_limit(1 << 27)


def head_of(plain: Path, encoding: str) -> str:
    """Return the first whole lines of a file, without blank ones.

    Raises
    ------
    BadInput
        If there is none.
    """
    with plain.open(encoding=encoding, errors="replace") as stream:
        text = stream.read(_HEAD)
    if len(text) == _HEAD and "\n" in text:
        text = text[: text.rindex("\n")]
    lines = [line for line in text.translate(_RESERVED).split("\n") if line.strip()]
    if not lines:
        raise BadInput(f"The file holds no line with anything on it. {ACCEPTED}.")
    return "\n".join(lines)


def cut_short(plain: Path, scratch: Path, encoding: str, limit: int) -> Path:
    """Return a file with the first whole lines of `plain`, of about `limit` bytes."""
    line_end = "\n\n".encode(encoding).removeprefix("\n".encode(encoding))
    if plain.stat().st_size <= limit:
        return plain
    with plain.open("rb") as stream:
        head = stream.read(limit)
    short = scratch / f"{len(list(scratch.iterdir()))}-{plain.name}"
    short.write_bytes(head[: head.rfind(line_end)] + line_end)
    return short


def stage_lines(plain: Path, target: Path, encoding: str) -> bool:
    """Write the lines of `plain` to `target`, in UTF-8; tell whether any holds a quote."""
    has_quotes = False
    with (
        plain.open(encoding=encoding, errors="replace") as source,
        target.open("w", encoding="utf-8", newline="\n") as staged,
    ):
        staged.write(MARK)
        while text := source.read(_CHUNK):
            has_quotes = has_quotes or '"' in text
            staged.write(text.translate(_RESERVED).replace("\n", "\n" + MARK))
    return has_quotes


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

    A record whose number of fields differs from the first one's and that spans lines was opened
    by a stray quote: its first line is taken alone and the rest is read again.
    """
    numbered = enumerate((line[1:].removesuffix("\n") for line in source), start=1)
    waiting: deque[tuple[int, str]] = deque()
    expected: int | None = None
    while taken := _next_record(numbered, waiting, delimiter):
        if not (len(taken) == 1 and not taken[0][1].strip()):
            raw = "\n".join(text for _, text in taken)
            fields = _parse(raw, delimiter)
            if len(taken) > 1 and expected is not None and len(fields) != expected:
                waiting.extendleft(reversed(taken[1:]))
                raw = taken[0][1]
                fields = _parse(raw, delimiter)
            expected = expected or len(fields)
            yield taken[0][0], raw, fields


def _next_record(
    numbered: Iterator[tuple[int, str]], waiting: deque[tuple[int, str]], delimiter: str
) -> list[tuple[int, str]]:
    taken: list[tuple[int, str]] = []
    while len(taken) < _LONGEST_RECORD:
        following = waiting.popleft() if waiting else next(numbered, None)
        if following is None:
            break
        taken.append(following)
        if not _is_open(taken, delimiter):
            break
    return taken


def _is_open(taken: list[tuple[int, str]], delimiter: str) -> bool:
    if len(taken) == 1 and '"' not in taken[0][1]:
        return False
    if len(taken) > 1 and '"' not in taken[-1][1]:
        return True
    try:
        next(csv.reader(["\n".join(text for _, text in taken)], delimiter=delimiter, strict=True))
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False


def _parse(raw: str, delimiter: str) -> list[str]:
    if '"' not in raw:
        return raw.split(delimiter)
    return next(csv.reader([raw], delimiter=delimiter), [""])
