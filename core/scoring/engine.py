"""The resident model: loaded once per process, shared by every session of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from core.batch import Batch
from core.model.backbone import load_encoder
from core.model.encoder import Encoder
from core.model.files import read_json
from core.model.inference import raw_scores
from core.model.surprise import percentile

Floats = npt.NDArray[np.float32]


def best_device() -> torch.device:
    """Return the GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True)
class Scorer:
    """A model ready to score. `reference` holds the training quantiles of an unlabelled model."""

    model_id: str
    encoder: Encoder
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
        encoder = load_encoder(folder).to(device)
        if device.type == "cuda":
            encoder = encoder.to(torch.bfloat16)
        reference = [] if encoder.classifies else read_json(folder / "surprise.json")["quantiles"]
        return cls(folder.name, encoder, reference)

    def predict_proba(
        self, batch: Batch, *, progress: Callable[[float], None] | None = None
    ) -> Floats:
        """Return (N, 2) float32 scores in the order of `id2label`; rows sum to 1.

        Column 1 is the probability of abuse or, for a model without labels, the unusualness.
        """
        score = raw_scores(self.encoder, batch, progress=progress)
        if not self.encoder.classifies:
            score = percentile(score, self.reference)
        return np.column_stack([1 - score, score])
