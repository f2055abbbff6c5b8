"""Checkpoints: a killed training goes on where it was.

Everything random in a training depends on the seed and the number of the step, so weights, the
optimiser's state, the position and what fine-tuning judged so far are all there is to keep, and a
resumed training ends with the same weights as one that was never stopped.
"""

import io
import pickle
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from core.model.encoder import Encoder
from core.model.optimising import Optimiser
from core.store.home import remove, writing

EVERY = 30.0  # seconds
SHARE = 0.05  # of a training's time at most goes into writing: a large one is kept less often


@dataclass(frozen=True)
class Position:
    """Where a training stands: which batch of which part comes next."""

    epoch: int = 0
    place: int = 0  # in this epoch's order of the parts
    batch: int = 0
    step: int = 0
    seen: int = 0  # sequences


@dataclass
class Checkpoint:
    """The file that holds a training's state; without one nothing is kept."""

    file: Path | None
    every: float = EVERY
    written: float = field(default_factory=time.monotonic)

    @property
    def due(self) -> bool:
        """Whether the last one is old enough to write another."""
        return time.monotonic() - self.written >= self.every

    def save(
        self,
        encoder: Encoder,
        optimiser: Optimiser,
        position: Position,
        further: dict[str, Any] | None = None,
    ) -> None:
        """Write the state; a reader sees the old one or the new one, never half of it.

        `further` holds tensors, numbers, strings and lists or dictionaries of them.

        Raises
        ------
        BadInput
            If the disk is full.
        """
        if self.file is None:
            return
        started = time.monotonic()
        state = {
            "weights": encoder.state_dict(),
            "optimiser": optimiser.adamw.state_dict(),
            "position": asdict(position),
            "further": further or {},
        }
        content = io.BytesIO()
        torch.save(state, content)
        with writing(self.file) as temporary:
            temporary.write_bytes(content.getbuffer())  # torch would not say why it cannot write
        self.written = time.monotonic()
        self.every = max(self.every, (self.written - started) / SHARE)

    def restore(self, encoder: Encoder, optimiser: Optimiser) -> tuple[Position, dict[str, Any]]:
        """Read the state back into `encoder` and `optimiser`; return the position and the rest.

        Where there is none to use, that is the start and nothing.
        """
        if self.file is None or not self.file.exists():
            return Position(), {}
        try:
            state = torch.load(self.file, map_location=encoder.device, weights_only=True)
            fits = _shapes(state["weights"]) == _shapes(encoder.state_dict())
        except (OSError, RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError):
            fits = False
        if not fits:
            remove(self.file)  # damaged, or another model's: all of it has to be learned again
            return Position(), {}
        encoder.load_state_dict(state["weights"])
        optimiser.adamw.load_state_dict(state["optimiser"])
        return Position(**state["position"]), state.get("further", {})

    def drop(self) -> None:
        """Delete the file: the training has ended."""
        if self.file is not None:
            remove(self.file)


def _shapes(weights: dict[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: weight.shape for name, weight in weights.items()}
