"""What an encoder says about many sequences, batch by batch."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from core.batch import Batch
from core.model.batching import by_length
from core.model.encoder import POSITIVE, Encoder
from core.model.surprise import mean_surprise

Floats = npt.NDArray[np.float32]


@torch.inference_mode()
def raw_scores(
    encoder: Encoder, batch: Batch, *, progress: Callable[[float], None] | None = None
) -> Floats:
    """Return (N,) float32: the probability of abuse or, without labels, the mean surprise."""
    encoder.eval()
    batches = by_length(encoder.cost(batch))
    parts = []
    for number, rows in enumerate(batches):
        part = batch.take(rows)
        if encoder.classifies:
            parts.append(encoder(part).float().softmax(-1)[:, POSITIVE])
        else:
            parts.append(mean_surprise(encoder, part))
        if progress is not None:
            progress((number + 1) / len(batches))
    scores = np.zeros(len(batch), dtype=np.float32)
    if batches:
        # One copy at the end: a copy per batch would make the GPU wait each time.
        scores[np.concatenate(batches)] = torch.cat(parts).float().cpu().numpy()
    return scores
