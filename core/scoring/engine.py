"""A model ready to score; what it is asked goes through the resident engine of its device."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from core.batch import Batch
from core.errors import BadInput
from core.model.backbone import load_encoder
from core.model.encoder import POSITIVE, Encoder
from core.model.inference import (
    Answers,
    Function,
    by_batch,
    embeddings,
    probabilities,
    probabilities_by_kind,
)
from core.model.masking import GROUPS
from core.model.schemes import kinds_of
from core.model.unusualness import Unusualness
from core.scoring.device import best_device, place
from core.scoring.resident import Priority, engine_on

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Scorer:
    """A model ready to score; `unusualness` is what a model without labels scores by.

    `after_batch` is called in the asking thread after each batch; it may raise to stop.
    """

    model_id: str
    encoder: Encoder
    unusualness: Unusualness | None
    priority: Priority = Priority.RUN
    after_batch: Callable[[], object] | None = None

    @classmethod
    def load(cls, folder: Path, device: torch.device | None = None) -> "Scorer":
        """Load a model directory onto `device` (default: the settings'), bf16 on a GPU.

        Raises
        ------
        BadInput
            If a part is missing or damaged, the parts do not belong together, there is no such
            device, or the model does not fit it.
        """
        device = device or best_device()
        encoder = load_encoder(folder)
        for name, weight in encoder.named_parameters():
            if not weight.isfinite().all():
                raise BadInput(f"The model in {folder} is damaged: {name} holds what is no number.")
        unusualness = None if encoder.classifies else Unusualness.load(folder)
        return cls(folder.name, place(encoder, device), unusualness)

    def at(self, priority: Priority) -> "Scorer":
        """Return the same model, asked by somebody who waits more or less urgently."""
        return replace(self, priority=priority)

    def cost(self, batch: Batch) -> int:
        """Return the positions that one score of the batch's sequences takes in the encoder."""
        passes = 1 if self.unusualness is None else GROUPS
        return passes * int(self.encoder.cost(batch).sum())

    def predict_proba(
        self, batch: Batch, *, progress: Callable[[float], None] | None = None
    ) -> Floats:
        """Return (N, 2) float32 scores of `normal` and of all abuse together; rows sum to 1.

        Column 1 is the probability of abuse or, for a model without labels, the unusualness.

        Raises
        ------
        BadInput
            If a sequence is too long for the model, or the model's answer is no number.
        """
        if self.unusualness is None:
            score = probabilities(self.encoder, batch, progress=progress, evaluate=self._evaluate)
        else:
            score = self.unusualness.score(
                self.encoder, batch, progress=progress, evaluate=self._evaluate
            )
        self._check_finite(score)
        return np.column_stack([1 - score, score])

    def embed(self, batch: Batch) -> Floats:
        """Return the vector each sequence is judged by, (N, H)."""
        return embeddings(self.encoder, batch, evaluate=self._evaluate)

    def evaluate(self, batch: Batch, function: Function, *, width: int) -> Floats:
        """Return what `function` says of each sequence, (N, width)."""
        return by_batch(self.encoder, batch, function, width=width, evaluate=self._evaluate)

    @property
    def kinds(self) -> list[str]:
        """What the model calls abuse; none unless it tells schemes apart."""
        return kinds_of(self.encoder)

    def predict_kinds(
        self, batch: Batch, *, progress: Callable[[float], None] | None = None
    ) -> tuple[Floats, Floats]:
        """Return the score, (N,), and how likely each of `kinds` is in case it is abuse, (N, K)."""
        if self.kinds:
            found = probabilities_by_kind(
                self.encoder, batch, progress=progress, evaluate=self._evaluate
            )
            self._check_finite(found[0])
            return found
        score = self.predict_proba(batch, progress=progress)[:, POSITIVE]
        return score, np.empty((len(batch), 0), dtype=np.float32)

    def _evaluate(self, encoder: Encoder, batch: Batch, function: Function) -> Answers:
        evaluate = engine_on(encoder.device).evaluate(self.priority)
        # Closed at once where somebody stops: runs pause, and batches wait, until it is.
        with closing(evaluate(encoder, batch, function)) as found:
            for one in found:
                if self.after_batch is not None:
                    self.after_batch()
                yield one

    def _check_finite(self, score: Floats) -> None:
        if not np.isfinite(score).all():
            raise BadInput(
                f"The model '{self.model_id}' answers with what is no number: retrain it."
            )
