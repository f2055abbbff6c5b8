"""One JSON array, an object around it, or objects one after the other, as a row per element.

The text is read through a window that moves on: no more than an element is ever held. An element
that is not JSON is kept as it is written, up to where the next object seems to begin.
"""

import io
import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import BadInput

_CHUNK = 1 << 22  # characters
_LONGEST = 1 << 24  # characters of an element; a longer one is taken for several broken ones
_BATCH = 10_000  # elements
_NEAR = 32  # characters before the end in which an error may only mean that there is more to come
_SCHEMA = pa.schema({"line": pa.int64(), "text": pa.string()})

_BLANK = re.compile(r"[\s\0]*")
_BETWEEN = re.compile(r"[\s\0,]*")
_NEXT_OBJECT = re.compile(r"\}\s*,?\s*(?=\{)")
_ARRAY_OF_OBJECTS = re.compile(r"\[\s*(?=\{)")
_COLON = re.compile(r"\s*:\s*")
_COMMA = re.compile(r"\s*,\s*")
# Numbers are not wanted, and very long ones would be refused.
_decode: Final = json.JSONDecoder(parse_int=len, parse_float=len, strict=False).raw_decode


def is_json_lines(head: str) -> bool:
    """Tell whether these lines, the first of which starts an object, are an object each."""
    first, *others = head.split("\n")
    if _is_json(first):
        return bool(others) or _find_array(head) is None
    return not _goes_on(head) or any(line.startswith("{") and _is_json(line) for line in others)


def _goes_on(head: str) -> bool:
    """Tell whether the object that `head` starts with spans its lines, as far as they go."""
    try:
        _decode(head)
    except json.JSONDecodeError as error:
        return _may_be_cut(error, head)
    except (ValueError, RecursionError):
        return False
    return True


def stage_elements(plain: Path, target: Path, encoding: str, limit: int | None = None) -> None:
    """Write line and text of every element as Parquet.

    With a `limit` (characters) the last, broken element is left out.
    """
    with (
        plain.open(encoding=encoding, errors="replace") as stream,
        pq.ParquetWriter(target, _SCHEMA) as staged,
    ):
        found = _elements(_Window(stream, limit))
        while batch := list(islice(found, _BATCH)):
            lines, texts = zip(*batch, strict=True)
            staged.write_table(pa.table([lines, texts], schema=_SCHEMA))


def first_elements(head: str) -> list[str]:
    """Return the elements in the beginning of a text; the last, broken one is left out."""
    return [text for _, text in _elements(_Window(io.StringIO(head), len(head)))]


class _Window:
    """The part of a text that is being looked at; counts the lines that it has left behind."""

    def __init__(self, stream: TextIO, limit: int | None) -> None:
        self._stream = stream
        self._left = limit
        self.text, self.at, self.line = "", 0, 1
        self.ended = False  # there is no more to come
        self.more()

    @property
    def is_cut(self) -> bool:
        """Whether the text goes on beyond the limit."""
        return self._left == 0

    def more(self) -> None:
        size = _CHUNK if self._left is None else min(_CHUNK, self._left)
        chunk = self._stream.read(size)
        self._left = None if self._left is None else self._left - len(chunk)
        self.text = self.text[self.at :] + chunk
        self.at = 0
        self.ended = not chunk

    def move_to(self, end: int) -> str:
        """Return the text up to `end` and leave it behind."""
        passed = self.text[self.at : end]
        self.line += passed.count("\n")
        self.at = end
        return passed

    def skip(self, pattern: re.Pattern[str]) -> bool:
        """Leave behind what matches here; tell whether anything follows."""
        while True:
            match = pattern.match(self.text, self.at)
            assert match is not None
            self.move_to(match.end())
            if self.at < len(self.text):
                return True
            if self.ended:
                return False
            self.more()


def _elements(window: _Window) -> Iterator[tuple[int, str]]:
    window.skip(_BLANK)
    around = _enter(window)
    while window.skip(_BETWEEN):
        if around is not None and window.text[window.at] == "]":
            window.move_to(window.at + 1)
            yield from _after_the_array(window, around)
            return
        line = window.line
        text = _take(window)
        if text is None:
            return
        yield line, text


def _enter(window: _Window) -> str | None:
    """Go to the first element; return what was before it, or None where there is no array."""
    if window.text.startswith("[", window.at):
        return window.move_to(window.at + 1)
    start = _find_array(window.text[window.at :])
    return None if start is None else window.move_to(window.at + start)


def _take(window: _Window) -> str | None:
    """Return the next element; None where the limit cuts it."""
    while True:
        try:
            _, end = _decode(window.text, window.at)
            broken = None
        except json.JSONDecodeError as error:
            broken = error
        except (ValueError, RecursionError):  # nested too deep for Python, and so for anyone
            return window.move_to(_end_of_broken(window, window.at + 1))
        if broken is None and (end < len(window.text) or window.ended):
            return window.move_to(end).strip()
        if broken is not None and not _may_be_cut(broken, window.text):
            return window.move_to(_end_of_broken(window, broken.pos))
        if window.ended or len(window.text) - window.at > _LONGEST:
            if window.is_cut:
                return None
            return window.move_to(_end_of_broken(window, window.at + 1))
        window.more()


def _may_be_cut(error: json.JSONDecodeError, text: str) -> bool:
    return error.msg.startswith("Unterminated string") or error.pos >= len(text) - _NEAR


def _end_of_broken(window: _Window, start: int) -> int:
    """Return where a broken element ends: before the next object, or with the window."""
    match = _NEXT_OBJECT.search(window.text, max(start - 1, window.at))
    return len(window.text) if match is None else match.start() + 1


def _after_the_array(window: _Window, around: str) -> Iterator[tuple[int, str]]:
    """Yield what follows the array and is not the end of the object around it."""
    if not window.skip(_BLANK):
        return
    line = window.line
    while not window.ended and len(window.text) - window.at < _LONGEST:
        window.more()
    rest = window.move_to(len(window.text))
    if not around.startswith("{"):
        yield line, rest.strip()
    elif (again := _find_array('{"": 0' + rest)) is not None:
        raise BadInput(
            "The file is a JSON object that holds several arrays of objects "
            f"(the second: {('{' + rest)[:again][-40:]}...). Accepted: one; save it alone."
        )
    elif not (window.is_cut or _is_json('{"": 0' + rest)):
        yield line, rest.strip()


def _is_json(text: str) -> bool:
    try:
        return _decode(text)[1] == len(text.rstrip())
    except (ValueError, RecursionError):
        return False


def _find_array(text: str) -> int | None:
    """Return where the first element of an array of objects inside one outer object starts.

    None where there is no such array, or where further objects follow the first: then each of
    them is an event that happens to hold an array.
    """
    try:
        if text[_decode(text)[1] :].strip(" \t\r\n,\0"):
            return None
    except (ValueError, RecursionError):
        pass
    at = 1
    try:
        while True:
            _, at = _decode(text, _past(_BLANK, text, at))
            at = _past(_COLON, text, at)
            if array := _ARRAY_OF_OBJECTS.match(text, at):
                return array.end()
            _, at = _decode(text, at)
            at = _past(_COMMA, text, at)
    except (ValueError, RecursionError):
        return None


def _past(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    if match is None:
        raise ValueError(f"no {pattern.pattern} at {at}")
    return match.end()
