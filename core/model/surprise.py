"""Unusualness: how surprised a pre-trained model is by a sequence, before any label exists.

The surprise of a token is its negative log-likelihood when it and a fifth of the others are hidden
(pseudo-log-likelihood; Salazar et al., "Masked Language Model Scoring", ACL 2020). The score of a
sequence is the percentile of its mean surprise among the training data: never a probability.
"""

import numpy as np
import numpy.typing as npt
import torch

from core.batch import MASK, Batch
from core.model.encoder import Encoder

GROUPS = 5  # every token is hidden in exactly one of as many passes
QUANTILES = 1001

Floats = npt.NDArray[np.float32]


@torch.inference_mode()
def mean_surprise(encoder: Encoder, batch: Batch) -> torch.Tensor:
    """Return each sequence's mean surprise in nats, (N,), on the encoder's device.

    Tokens that are hidden already (an explanation hides them) are not counted.
    """
    countable = (batch.field > 0) & (batch.ids != MASK)
    # Spread by field and event, not by place in the batch: a score must not depend on its company.
    group = (batch.field.astype(np.int64) * 7 + batch.event.astype(np.int64) * 3) % GROUPS
    total = torch.zeros(len(batch), device=encoder.device)
    for number in range(GROUPS):
        chosen = countable & (group == number)
        if chosen.any():
            index = torch.from_numpy(batch.owner[chosen]).to(encoder.device)
            total = total.index_add(0, index, encoder.masked(batch, chosen))
    count = np.bincount(batch.owner[countable], minlength=len(batch))
    return total / torch.from_numpy(np.maximum(count, 1)).to(encoder.device)


def quantiles(surprise: Floats) -> list[float]:
    """Return the reference that turns a surprise into a percentile."""
    return [float(value) for value in np.quantile(surprise, np.linspace(0, 1, QUANTILES))]


def percentile(surprise: Floats, reference: list[float]) -> Floats:
    """Return where each surprise stands among the training data, in [0, 1]."""
    if reference[0] == reference[-1]:  # all alike: nobody is unusual
        return np.full(len(surprise), 0.5, dtype=np.float32)
    grid = np.linspace(0, 1, len(reference))
    return np.interp(surprise, reference, grid).astype(np.float32)
