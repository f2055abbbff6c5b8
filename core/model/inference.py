"""What an encoder says about many sequences, batch by batch."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from core.batch import Batch
from core.model.batching import by_length
from core.model.encoder import POSITIVE, Encoder

Floats = npt.NDArray[np.float32]


@torch.inference_mode()
def by_batch(
    encoder: Encoder,
    batch: Batch,
    function: Callable[[Encoder, Batch], torch.Tensor],
    *,
    width: int,
    progress: Callable[[float], None] | None = None,
) -> Floats:
    """Return what `function` says of each sequence, (N, width) float32, whatever their order."""
    encoder.eval()
    batches = by_length(encoder.cost(batch))
    parts = []
    for number, rows in enumerate(batches):
        parts.append(function(encoder, batch.take(rows)))
        if progress is not None:
            progress((number + 1) / len(batches))
    found = np.zeros((len(batch), width), dtype=np.float32)
    if batches:
        # One copy at the end: a copy per batch would make the GPU wait each time.
        found[np.concatenate(batches)] = torch.cat(parts).float().cpu().numpy()
    return found


def probabilities(
    encoder: Encoder, batch: Batch, *, progress: Callable[[float], None] | None = None
) -> Floats:
    """Return the probability of abuse, (N,) float32."""
    return by_batch(encoder, batch, _probability, width=1, progress=progress)[:, 0]


def embeddings(encoder: Encoder, batch: Batch) -> Floats:
    """Return the vector each sequence is judged by, (N, H) float32."""
    width = int(encoder.bert.config.hidden_size)
    return by_batch(encoder, batch, lambda own, part: own.embed(part), width=width)


def _probability(encoder: Encoder, batch: Batch) -> torch.Tensor:
    logits: torch.Tensor = encoder(batch)
    temperature = getattr(encoder.bert.config, "calibration_temperature", 1.0)
    return (logits.float() / temperature).softmax(-1)[:, [POSITIVE]]
