"""Who shares a score: the profile and the events; in long sequences events that are taken together.

Long sequences are pruned as TimeSHAP does (Bento et al., KDD 2021): if the events up to some point,
as one player against all else, hardly move the score, they stay one player. Where too many events
are left, neighbours share a block; a block's value is divided among its events as an event's is
among its tokens.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from core.batch import Batch

MOST: Final = 128  # players
POSITIONS: Final = 400_000  # of the encoder, in the coalitions of one sequence's players
PER_PLAYER: Final = 8  # coalitions, at least
KEPT: Final = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768)  # last events, when pruning
HARMLESS: Final = 0.01  # of the score

Groups = npt.NDArray[np.int64]  # (T,): number of each token's group; -1: nothing reads the token
Hidden = npt.NDArray[np.bool_]  # (C, T): tokens hidden in each coalition
Scores = npt.NDArray[np.float64]  # (C,)


@dataclass(frozen=True)
class Players:
    """Groups in groups of tokens: `levels` run from the players to single tokens."""

    levels: list[Groups]
    pruned: int = 0  # first events that are one player

    @property
    def count(self) -> int:
        """Number of players."""
        return int(self.levels[0].max(initial=-1)) + 1


def players_of(
    batch: Batch, reads: npt.NDArray[np.bool_], cost: int, base_value: float, score: float
) -> Generator[Hidden, Scores, Players]:
    """Choose the players of the one sequence in `batch`, whose full evaluation costs `cost`."""
    event = np.where(reads, batch.event, -1).astype(np.int64)
    tokens = _numbered(np.where(reads, np.arange(len(event)), -1))
    most = max(2, min(MOST, POSITIONS // (PER_PLAYER * cost)))
    if len(np.unique(event[reads])) <= most:
        return Players([_numbered(event), tokens])
    pruned = yield from _harmless(event, base_value, score)
    player = np.where((event > 0) & (event <= pruned), 1, event)
    left = int(event.max()) - pruned
    width = -(-left // (most - 2))  # beside the profile and the past
    if width == 1:
        return Players([_numbered(player), tokens], pruned)
    block = pruned + 1 + (event - pruned - 1) // width
    player = np.where(event > pruned, block, player)
    return Players([_numbered(player), _numbered(event), tokens], pruned)


def without(groups: Groups, coalitions: npt.NDArray[np.bool_]) -> Hidden:
    """Return the tokens that are hidden where only the groups of each coalition are present."""
    return np.asarray((groups >= 0) & ~coalitions[:, groups])


def _harmless(event: Groups, base_value: float, score: float) -> Generator[Hidden, Scores, int]:
    """Return how many first events, as one player against the rest, hardly move the score."""
    last = int(event.max())
    ends = np.array([last - kept for kept in KEPT if kept < last])  # rising number kept
    past = (event > 0) & (event <= ends[:, None])
    scores = yield np.concatenate([past, (event >= 0) & ~past])
    recent_only, past_only = scores[: len(ends)], scores[len(ends) :]
    value = ((score - recent_only) + (past_only - base_value)) / 2
    harmful = np.flatnonzero(np.abs(value) > HARMLESS)
    first = harmful[-1] + 1 if len(harmful) else 0
    return int(ends[first]) if first < len(ends) else 0


def _numbered(groups: Groups) -> Groups:
    """Return the groups numbered from 0, in order; -1 stays."""
    found = np.full(len(groups), -1)
    found[groups >= 0] = np.unique(groups[groups >= 0], return_inverse=True)[1]
    return found
