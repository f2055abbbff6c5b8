"""Guess in which encoding a text is written, from its first bytes."""

import codecs
import re
from pathlib import Path

from core.errors import BadInput
from core.logs.mapping import Format
from core.logs.sources import ACCEPTED

_HEAD = 1 << 18
_BYTE_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it starts with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_FEW = 4  # stray control bytes that a small file may hold
_LEAST_NULS = 0.05  # share of the bytes of UTF-16: those of digits, delimiters and line ends

# Every pair of bytes of a Chinese text, and the pairs that are common characters or punctuation.
_PAIR = re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]|[\x80-\xff]")
_COMMON = {
    "gb18030": re.compile(rb"[\xa1-\xa3\xb0-\xd7][\xa1-\xfe]"),
    "big5": re.compile(rb"[\xa1-\xc6][\x40-\x7e\xa1-\xfe]"),
}
_LEAST_COMMON = 0.7  # share of the pairs; names hold rare characters
_LEAST_HIGH = 0.3  # share of pairs whose second byte is no ASCII letter, as of accented ones


def encoding_of(plain: Path, given: Format | None) -> str:
    """Return the encoding of a file: its byte mark, else what the mapping says, else a guess.

    Raises
    ------
    BadInput
        If the first bytes are not text.
    """
    with plain.open("rb") as stream:
        head = stream.read(_HEAD)
    if marked := _by_mark(head):
        return marked
    is_given = given is not None and "encoding" in given.model_fields_set
    if given is not None and is_given and given.encoding not in _BYTE_MARKS.values():
        return given.encoding
    return _guess_encoding(head, plain.name)


def _by_mark(head: bytes) -> str | None:
    return next((name for mark, name in _BYTE_MARKS.items() if head.startswith(mark)), None)


def _guess_encoding(head: bytes, name: str) -> str:
    if wide := _guess_utf16(head):
        return wide
    if _has_control_bytes(head):
        raise BadInput(f"'{name}' is not text (it holds control bytes). {ACCEPTED}.")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return _guess_chinese(head) or "cp1252"
    return "utf-8"


def _has_control_bytes(text: bytes) -> bool:
    return sum(text.count(bytes([byte])) for byte in range(9)) > max(_FEW, len(text) // 1000)


def _guess_utf16(head: bytes) -> str | None:
    """Recognise UTF-16 without a mark: the high byte of every ASCII character is nought."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if max(even, odd) < _LEAST_NULS * len(head) or min(even, odd) > max(even, odd) // 10:
        return None
    encoding = "utf-16-le" if odd > even else "utf-16-be"
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return None
    return None if _has_control_bytes(text.encode()) else encoding


def _guess_chinese(head: bytes) -> str | None:
    """Tell GB18030 from Big5, and both from Latin, by which pairs of bytes are common."""
    pairs = _PAIR.findall(head)
    high = sum(len(pair) == 2 and pair[1] > 0xA0 for pair in pairs)
    if high < _LEAST_HIGH * len(pairs):
        return None
    shares = {
        encoding: sum(common.fullmatch(pair) is not None for pair in pairs) / len(pairs)
        for encoding, common in _COMMON.items()
    }
    best = max(shares, key=lambda encoding: shares[encoding])
    return best if shares[best] >= _LEAST_COMMON else None
