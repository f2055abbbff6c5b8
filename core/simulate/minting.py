"""New ids that look like those of a log."""

import re
import uuid
from collections.abc import Sequence
from typing import Final

import numpy as np

UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TRIES: Final = 50  # before an id is made longer than those of the log


def mint(like: Sequence[str], number: int, taken: set[str], rng: np.random.Generator) -> list[str]:
    """Make new ids of the shape of those given, the last run of digits or letters redrawn."""
    minted = []
    for _ in range(number):
        for attempt in range(TRIES):
            fresh = _redrawn(str(like[int(rng.integers(len(like)))]), attempt // 10, rng)
            if fresh not in taken:
                break
        else:
            fresh = f"{fresh}{len(taken)}"
        taken.add(fresh)
        minted.append(fresh)
    return minted


def _redrawn(old: str, wider: int, rng: np.random.Generator) -> str:
    if UUID.fullmatch(old):
        return str(uuid.UUID(bytes=rng.bytes(16), version=4))
    head = re.sub(r"[0-9A-Za-z]*[^0-9A-Za-z]*$", "", old)
    tail = old[len(head) :]
    if head.count(".") == 3 and tail.isdigit():  # an address
        return head + str(rng.integers(1, 255))
    keep = 0 if head else max(1, len(tail) // 2 - wider)
    hexadecimal = not re.search(r"[g-zG-Z]", tail[keep:])
    return head + tail[:keep] + "".join(_other(c, hexadecimal, rng) for c in tail[keep:])


def _other(character: str, hexadecimal: bool, rng: np.random.Generator) -> str:
    if character.isdigit():
        return "0123456789"[int(rng.integers(10))]
    if character.isalpha():
        letters = "abcdef" if hexadecimal else "abcdefghijklmnopqrstuvwxyz"
        letter = letters[int(rng.integers(len(letters)))]
        return letter.upper() if character.isupper() else letter
    return character
