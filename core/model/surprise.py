"""Surprise: what a pre-trained model did not expect, token by token, before any label exists.

The surprise of a token is measured while its whole event is hidden (pseudo-log-likelihood; Salazar
et al., "Masked Language Model Scoring", ACL 2020), in excess of what the model expected it to be.
An event's surprise is the sum over its tokens: the first explanation of a sequence.
"""

import numpy as np
import numpy.typing as npt
import torch

from core.batch import MASK, Batch
from core.model.encoder import Encoder
from core.model.likelihood import excess_surprise
from core.model.masking import surprise_masks

PATTERN_COUNT = "pattern_count"


@torch.inference_mode()
def token_surprise(encoder: Encoder, batch: Batch) -> torch.Tensor:
    """Return each token's excess surprise in nats, (T,), on the encoder's device.

    0 for `[CLS]` and for tokens that are hidden already (an explanation hides them).
    """
    countable = (batch.field > 0) & (batch.ids != MASK)
    found = torch.zeros(len(batch.ids), device=encoder.device)
    for hidden, counted in surprise_masks(batch):
        wanted = counted & countable
        if wanted.any():
            index = torch.from_numpy(np.flatnonzero(wanted)).to(encoder.device)
            found[index] = encoder.masked(batch, hidden, measured=wanted, measure=excess_surprise)
    return found


@torch.inference_mode()
def strangest(encoder: Encoder, batch: Batch) -> torch.Tensor:
    """Return the surprise of each sequence's strangest event and strangest profile fact, (N, 2).

    The highest, not the mean: one step that never happens is strange among a hundred usual ones.
    At least 0, which is as expected.
    """
    device = encoder.device
    tokens = token_surprise(encoder, batch)
    group = torch.from_numpy(batch.group).to(device)
    tokens = tokens * torch.from_numpy(_about_the_sequence(encoder, batch)).to(device)
    in_profile = torch.from_numpy(batch.event == 0).to(device)
    events = torch.zeros(int(batch.positions.sum()), device=device)
    events = events.index_add(0, group[~in_profile], tokens[~in_profile])
    owner_of_event = np.repeat(np.arange(len(batch)), batch.positions)
    found = torch.zeros((len(batch), 2), device=device)
    for column, values, owner in (
        (0, events, torch.from_numpy(owner_of_event).to(device)),
        (1, tokens[in_profile], torch.from_numpy(batch.owner).to(device)[in_profile]),
    ):
        found[:, column] = found[:, column].scatter_reduce(0, owner, values, "amax")
    return found


def _about_the_sequence(encoder: Encoder, batch: Batch) -> npt.NDArray[np.bool_]:
    """Leave out how many others of the *same log* are alike: a smaller log has fewer of them."""
    numbers = [
        number
        for number, field in enumerate(encoder.tokenizer.fields, start=1)
        if field.level == "profile" and field.name == PATTERN_COUNT
    ]
    return ~np.isin(batch.field, numbers)
