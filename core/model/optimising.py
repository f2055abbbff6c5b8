"""AdamW with warm-up and linear decay: the optimiser of both phases of training."""

from contextlib import AbstractContextManager

import torch

from core.model.encoder import Encoder

CLIP = 1.0  # norm of the gradient


class Optimiser:
    """AdamW (Loshchilov & Hutter, ICLR 2019); weight decay spares biases and layer norms.

    The learning rate rises over the first `warm_up` of the training and then falls to 0. Which
    share of the training is done is told at each step, so that nothing but AdamW's own state has
    to be kept in a checkpoint.
    """

    def __init__(
        self,
        encoder: Encoder,
        learning_rate: float,
        *,
        warm_up: float = 0.1,
        weight_decay: float = 0.01,
    ) -> None:
        self.learning_rate = learning_rate
        self.warm_up = warm_up
        self.parameters = [p for p in encoder.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in self.parameters if p.ndim > 1], "weight_decay": weight_decay},
            {"params": [p for p in self.parameters if p.ndim < 2], "weight_decay": 0.0},
        ]
        self.adamw = torch.optim.AdamW([group for group in groups if group["params"]])

    def step(self, done: float) -> None:
        """Take one step down the gradient there is; `done` is the share of the training before."""
        rising = max(done, 0.01 * self.warm_up) / self.warm_up
        falling = (1 - done) / (1 - self.warm_up)
        for group in self.adamw.param_groups:
            group["lr"] = self.learning_rate * max(0.0, min(rising, falling))
        torch.nn.utils.clip_grad_norm_(self.parameters, CLIP)
        self.adamw.step()
        self.adamw.zero_grad()


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """Return the context that computes in bf16 on a GPU; a CPU without bf16 units would be slow."""
    return torch.autocast("cuda", dtype=torch.bfloat16, enabled=device.type == "cuda")
