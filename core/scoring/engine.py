"""The resident model: loaded once per process, shared by every session of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from core.model.batching import by_length
from core.model.encoder import Encoder
from core.model.files import read_json
from core.model.surprise import mean_surprise, percentile
from core.tokens import Batch

Floats = npt.NDArray[np.float32]


def best_device() -> torch.device:
    """Return the GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True)
class Scorer:
    """A model ready to score. `reference` holds the training quantiles of an unlabelled model."""

    encoder: Encoder
    kind: str  # probability | unusualness
    threshold: float
    reference: list[float]

    @classmethod
    def load(cls, folder: Path, device: torch.device | None = None) -> "Scorer":
        """Load a model directory onto `device` (default: the GPU if there is one), bf16 on a GPU.

        Raises
        ------
        BadInput
            If a part is missing or damaged, or the parts do not belong together.
        """
        device = device or best_device()
        encoder = Encoder.load(folder).to(device)
        if device.type == "cuda":
            encoder = encoder.to(torch.bfloat16)
        config = read_json(folder / "config.json")
        kind = "probability" if encoder.classifies else "unusualness"
        reference = [] if encoder.classifies else read_json(folder / "surprise.json")["quantiles"]
        return cls(encoder, kind, float(config["threshold"]), reference)

    def predict_proba(
        self, batch: Batch, *, progress: Callable[[float], None] | None = None
    ) -> Floats:
        """Return (N, 2) float32 scores in the order of `id2label`; rows sum to 1.

        Column 1 is the probability of abuse or, for a model without labels, the unusualness.
        """
        batches = by_length(self.encoder.cost(batch))
        raw = []
        for number, rows in enumerate(batches):
            raw.append(self._raw(batch.take(rows)))
            if progress is not None:
                progress((number + 1) / len(batches))
        score = np.zeros(len(batch), dtype=np.float32)
        if batches:
            # One copy at the end: a copy per batch would make the GPU wait each time.
            score[np.concatenate(batches)] = torch.cat(raw).cpu().numpy()
        if self.kind == "unusualness":
            score = percentile(score, self.reference)
        return np.column_stack([1 - score, score])

    @torch.inference_mode()
    def _raw(self, batch: Batch) -> torch.Tensor:
        if self.kind == "unusualness":
            return mean_surprise(self.encoder, batch)
        logits: torch.Tensor = self.encoder(batch)
        return logits.float().softmax(-1)[:, 1]
