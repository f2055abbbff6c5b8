"""Two sequences event by event: what both did, and where they part."""

from collections.abc import Sequence
from difflib import SequenceMatcher

Pair = tuple[int | None, int | None]  # positions of an event left and right; None: none opposite


def align(left: Sequence[str], right: Sequence[str]) -> list[Pair]:
    """Put two sequences of actions beside each other, every event in one pair.

    Longest common blocks first (Ratcliff & Obershelp, as Python's `difflib`); between them, events
    that differ stand opposite each other as far as there are any.
    """
    pairs: list[Pair] = []
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    for _, start, end, other_start, other_end in matcher.get_opcodes():
        for step in range(max(end - start, other_end - other_start)):
            own, other = start + step, other_start + step
            pairs.append((own if own < end else None, other if other < other_end else None))
    return pairs


def alike(pairs: Sequence[Pair], left: Sequence[str], right: Sequence[str]) -> int:
    """Count the pairs in which both did the same."""
    return sum(
        own is not None and other is not None and left[own] == right[other] for own, other in pairs
    )
