"""Masked-token pre-training: learn what this log looks like, before any label.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers" (NAACL 2019), with two
differences: a hidden token competes with the tokens of its own field only, and the loss is computed
on hidden positions only.
"""

from dataclasses import dataclass

import numpy as np
import torch

from core.batch import Batch
from core.errors import BadInput
from core.model.batching import Report, shuffled
from core.model.encoder import Encoder
from core.model.optimising import Optimiser


@dataclass(frozen=True)
class PretrainConfig:
    """Settings of pre-training; the defaults suit logs of thousands to 100,000s of sequences."""

    epochs: int = 20
    max_steps: int = 3000  # fewer epochs on a large log
    batch_size: int = 32  # sequences
    learning_rate: float = 1e-3
    mask_share: float = 0.2
    max_sequences: int = 20_000  # a sample of a larger log is enough to learn its language


def pretrain(
    encoder: Encoder, batch: Batch, config: PretrainConfig, *, seed: int, report: Report
) -> None:
    """Train `encoder`'s masked-token head and body in place on all sequences of `batch`.

    Raises
    ------
    BadInput
        If the loss stops being a number.
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    if len(batch) > config.max_sequences:
        batch = batch.take(np.sort(rng.choice(len(batch), config.max_sequences, replace=False)))
    cost = encoder.cost(batch)
    steps = len(shuffled(cost, size=config.batch_size, rng=np.random.default_rng(seed)))
    epochs = max(1, min(config.epochs, config.max_steps // steps))
    optimiser = Optimiser(encoder, config.learning_rate, steps * epochs)
    encoder.train()
    for epoch in range(epochs):
        losses = []
        batches = shuffled(cost, size=config.batch_size, rng=rng)
        for number, rows in enumerate(batches):
            part = batch.take(rows)
            chosen = (rng.random(len(part.ids)) < config.mask_share) & (part.field > 0)
            if not chosen.any():
                continue
            loss = encoder.masked(part, chosen).mean()
            optimiser.step(loss)
            losses.append(loss.detach())
            if number % 20 == 0:
                report(
                    {
                        "phase": "pre-training",
                        "progress": (epoch + number / len(batches)) / epochs,
                    }
                )
        if not losses:
            continue
        mean = float(torch.stack(losses).mean())
        if not np.isfinite(mean):
            raise BadInput(
                "Pre-training diverged (the loss is not a number): lower the learning rate."
            )
        report(
            {
                "phase": "pre-training",
                "epoch": epoch + 1,
                "loss": mean,
                "progress": (epoch + 1) / epochs,
            }
        )
    encoder.eval()
