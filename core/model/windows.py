"""Phrases of tokens, and the windows that texts longer than a checkpoint reads are cut into."""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

TRAINED_WINDOWS: Final = 4  # of one sequence drawn into a step

Ids = npt.NDArray[np.int64]


def phrase(field: str, token: str) -> str:
    """Return a token in as few words as tell it: ``gap~2s-5s`` is "gap 2s-5s".

    A part of a word from free text goes without the name of its column.
    """
    value = token.removeprefix(field)
    if value.startswith(":"):
        return value[1:].removeprefix("##")
    value = re.sub(r"^[=~]", "", value).replace(">=", "over ").replace("<", "under ")
    return f"{re.sub(r'[_.]+', ' ', field)} {value}"


def packed(profile: Ids, events: list[Ids], room: int) -> Iterator[Ids]:
    """Give windows of at most `room` sub-words: the profile, then as many events as fit.

    An event that is longer than a window by itself is cut.
    """
    window, length = [profile], len(profile)
    for event in events:
        cut = event[: room - len(profile)]
        if length + len(cut) > room:
            yield np.concatenate(window)
            window, length = [profile], len(profile)
        window.append(cut)
        length += len(cut)
    yield np.concatenate(window)


def drawn(found: list[tuple[int, Ids]]) -> list[tuple[int, Ids]]:
    """Draw at most `TRAINED_WINDOWS` windows of each sequence."""
    kept: dict[int, list[int]] = {}
    for place in torch.randperm(len(found)).tolist():
        rows = kept.setdefault(found[place][0], [])
        if len(rows) < TRAINED_WINDOWS:
            rows.append(place)
    return [found[place] for place in sorted(chain.from_iterable(kept.values()))]
