"""What an encoder says about many sequences, batch by batch."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from core.batch import Batch
from core.model.batching import by_length
from core.model.encoder import POSITIVE, Encoder
from core.model.schemes import binary

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


def probabilities_by_kind(
    encoder: Encoder, batch: Batch, *, progress: Callable[[float], None] | None = None
) -> tuple[Floats, Floats]:
    """Return the probability of abuse, (N,), and of each kind in case it is abuse, (N, K).

    Kinds are those of `core.model.schemes.kinds_of`; the rows of their probabilities sum to 1.
    """
    width = len(encoder.bert.config.id2label)
    found = by_batch(encoder, batch, _by_kind, width=width, progress=progress)
    return found[:, 0], found[:, 1:]


def _probability(encoder: Encoder, batch: Batch) -> torch.Tensor:
    return _of_abuse(encoder, encoder(batch).float())


def _by_kind(encoder: Encoder, batch: Batch) -> torch.Tensor:
    logits: torch.Tensor = encoder(batch).float()
    temperature = getattr(encoder.bert.config, "scheme_temperature", 1.0)
    kinds = (logits[:, POSITIVE:] / temperature).softmax(-1)
    return torch.cat([_of_abuse(encoder, logits), kinds], dim=1)


def _of_abuse(encoder: Encoder, logits: torch.Tensor) -> torch.Tensor:
    temperature = getattr(encoder.bert.config, "calibration_temperature", 1.0)
    return (binary(logits) / temperature).softmax(-1)[:, [POSITIVE]]
