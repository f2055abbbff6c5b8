"""The resident model: loaded once per process, shared by every session of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from core.batch import Batch
from core.model.backbone import load_encoder
from core.model.encoder import POSITIVE, Encoder
from core.model.inference import probabilities, probabilities_by_kind
from core.model.schemes import kinds_of
from core.model.unusualness import Unusualness

Floats = npt.NDArray[np.float32]


def best_device() -> torch.device:
    """Return the GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True)
class Scorer:
    """A model ready to score; `unusualness` is what a model without labels scores by."""

    model_id: str
    encoder: Encoder
    unusualness: Unusualness | None

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
        unusualness = None if encoder.classifies else Unusualness.load(folder)
        return cls(folder.name, encoder, unusualness)

    def predict_proba(
        self, batch: Batch, *, progress: Callable[[float], None] | None = None
    ) -> Floats:
        """Return (N, 2) float32 scores of `normal` and of all abuse together; rows sum to 1.

        Column 1 is the probability of abuse or, for a model without labels, the unusualness.
        """
        if self.unusualness is None:
            score = probabilities(self.encoder, batch, progress=progress)
        else:
            score = self.unusualness.score(self.encoder, batch, progress=progress)
        return np.column_stack([1 - score, score])

    @property
    def kinds(self) -> list[str]:
        """What the model calls abuse; none unless it tells schemes apart."""
        return kinds_of(self.encoder)

    def predict_kinds(
        self, batch: Batch, *, progress: Callable[[float], None] | None = None
    ) -> tuple[Floats, Floats]:
        """Return the score, (N,), and how likely each of `kinds` is in case it is abuse, (N, K)."""
        if self.kinds:
            return probabilities_by_kind(self.encoder, batch, progress=progress)
        score = self.predict_proba(batch, progress=progress)[:, POSITIVE]
        return score, np.empty((len(batch), 0), dtype=np.float32)
