"""AdamW with warm-up and linear decay: the optimiser of both phases of training."""

import torch
from torch import Tensor

from core.model.encoder import Encoder

WARM_UP = 0.1  # share of the steps
CLIP = 1.0  # norm of the gradient


class Optimiser:
    """AdamW (Loshchilov & Hutter, ICLR 2019); weight decay spares biases and layer norms."""

    def __init__(
        self, encoder: Encoder, learning_rate: float, steps: int, weight_decay: float = 0.01
    ) -> None:
        self.parameters = [p for p in encoder.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in self.parameters if p.ndim > 1], "weight_decay": weight_decay},
            {"params": [p for p in self.parameters if p.ndim < 2], "weight_decay": 0.0},
        ]
        self.adamw = torch.optim.AdamW(groups, lr=learning_rate)
        warm_up = max(1, int(WARM_UP * steps))

        def rate(step: int) -> float:
            if step < warm_up:
                return (step + 1) / warm_up
            return max(0.0, (steps - step) / max(1, steps - warm_up))

        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.adamw, rate)

    def step(self, loss: Tensor) -> None:
        """Take one step down the gradient of `loss`."""
        self.adamw.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.parameters, CLIP)
        self.adamw.step()
        self.schedule.step()
