"""Personal columns become pseudonyms, and free text loses mails, phones, card and id numbers.

A pseudonym is the keyed hash of a value (HMAC-SHA256, RFC 2104): the same in every log of a home,
and of no use to anyone without the home's key.
"""

import os
import secrets
from pathlib import Path
from typing import Final

import duckdb

from core.logs.engine import literal, one_row, quoted
from core.logs.mapping import Mapping, canonical_names

_BLOCK: Final = 64  # bytes of a SHA-256 block
_DIGITS: Final = 16  # of a pseudonym, in hexadecimal: 64 bits tell any two values apart
_MASKS: Final = {  # in this order: a longer number would be taken for a shorter one
    "[mail]": r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    "[id]": r"\b(?:\d{17}[\dXx]|\d{3}-\d{2}-\d{4})\b",
    "[card]": r"\b\d(?:[ -]?\d){12,18}\b",
    "[phone]": r"\+?\(?\b\d(?:[ ()./-]{0,2}\d){8,14}\b",
}
# An address of a network or a date reads like a phone's number: with a mark inside it does not.
_MARK: Final = "\x1f"
_OCTET: Final = r"(0|[1-9]\d{0,2})"
_MONTH_AND_DAY: Final = r"([-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01]))"
_NO_PHONES: Final = {
    rf"(^|[^\d.]){_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}($|[^\d.]|\.$|\.\D)": r"\1\2@.\3@.\4@.\5@\6",
    rf"(^|\D)((?:19|20)\d\d){_MONTH_AND_DAY}($|\D)": r"\1\2@\3@\4",
}


def is_private(mapping: Mapping) -> bool:
    """Tell whether a log holds what is not to be stored as it is."""
    return bool(mapping.mask) or "personal" in mapping.columns.values()


def home_key(folder: Path) -> bytes:
    """Return the key of the home at `folder`, made when it is first needed."""
    file = folder / "pseudonym.key"
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return bytes.fromhex(file.read_text())
    with os.fdopen(handle, "w") as stream:
        stream.write(key := secrets.token_hex(32))
    return bytes.fromhex(key)


def create_masks(con: duckdb.DuckDBPyConnection, key: bytes) -> None:
    """Create the macros `pseudonym` and `mask` in `con`, and `kept`: a pseudonym for `mask`.

    One in 1,800 pseudonyms has digits only, and would be masked as a card's number.
    """
    inner, outer = (_pad(key, byte) for byte in (0x36, 0x5C))
    masked = "x"
    for pattern, marked in [*_NO_PHONES.items()] * 2:  # what parts two is of the first
        marked = literal(marked.replace("@", _MARK))
        masked = f"regexp_replace({masked}, {literal(pattern)}, {marked}, 'g')"
    for word, pattern in _MASKS.items():
        masked = f"regexp_replace({masked}, {literal(pattern)}, '{word}', 'g')"
    masked = f"replace({masked}, '{_MARK}', '')"
    con.execute(
        f"""CREATE MACRO pseudonym(x) AS substr(sha256(
            unhex('{outer}') || unhex(sha256(unhex('{inner}') || encode(x)))), 1, {_DIGITS})"""
    )
    con.execute(f"CREATE MACRO kept(x) AS regexp_replace(pseudonym(x), '', {literal(_MARK)}, 'g')")
    con.execute(f"CREATE MACRO mask(x) AS {masked}")


def count_masked(
    con: duckdb.DuckDBPyConnection, mapping: Mapping, table: str
) -> dict[str, dict[str, int]]:
    """Return how often each kind was masked in the text columns of `table`, by column."""
    names = canonical_names(mapping)
    found = {}
    for source in mapping.mask:
        text = quoted(names[source])
        counts = ", ".join(
            f"coalesce(sum(len(string_split({text}, '{word}')) - 1), 0)::BIGINT" for word in _MASKS
        )
        numbers = one_row(con, f"SELECT {counts} FROM {table}")
        found[source] = dict(zip([word.strip("[]") for word in _MASKS], numbers, strict=True))
    return found


def _pad(key: bytes, byte: int) -> str:
    return bytes(number ^ byte for number in key.ljust(_BLOCK, b"\0")).hex()
