"""Which tokens are hidden: those a model is pre-trained on, those its surprise is measured at.

Facts of one event say much of each other, and the profile says what its events are. So beside
single tokens whole events are hidden, all their tokens together, and the whole profile.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from core.batch import Batch

Chosen = npt.NDArray[np.bool_]  # (T,)

GROUPS = 5  # of events, each hidden in a pass of its own: a fifth, about as in pre-training


def training_mask(
    batch: Batch,
    rng: np.random.Generator,
    *,
    token_share: float,
    event_share: float,
    profile_share: float,
    blank_share: float,
) -> Chosen:
    """Draw the tokens to hide.

    Parameters
    ----------
    token_share, event_share
        Of single tokens, and of events hidden whole.
    profile_share, blank_share
        Of sequences whose profile is hidden whole, and of those whose events all are.
    """
    drawn = rng.random(len(batch))  # both parts of one sequence at once would leave nothing
    whole = rng.random(int(batch.positions.sum())) < event_share
    whole[np.cumsum(batch.positions) - batch.positions] = drawn < profile_share
    chosen = (rng.random(len(batch.ids)) < token_share) | whole[batch.group]
    chosen |= (drawn > 1 - blank_share)[batch.owner] & (batch.event > 0)
    return chosen & (batch.field > 0)


def surprise_masks(batch: Batch) -> Iterator[tuple[Chosen, Chosen]]:
    """Give, for every pass, the tokens to hide and those whose surprise counts.

    Over all passes every token counts once. The profile stays hidden throughout, for it would
    tell of the hidden events. A token's passes depend on its place in its sequence only.
    """
    profile = (batch.event == 0) & (batch.field > 0)
    for group in range(GROUPS):
        events = (batch.event > 0) & (batch.event % GROUPS == group)
        yield events | profile, events | profile if group == 0 else events
