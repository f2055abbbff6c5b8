"""Fine-tuning on labels: AdamW, class weights, early stopping, bags of sequences as units."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from core.batch import Batch
from core.errors import BadInput
from core.model.batching import Report, shuffled
from core.model.encoder import POSITIVE, Encoder
from core.model.inference import raw_scores
from core.model.optimising import Optimiser
from core.model.units import Bags

DIVERGED = "Fine-tuning diverged (the loss is not a number): lower the learning rate."
DECAY = 0.99  # per step, of the running mean of the weights, which is what is judged and kept


@dataclass(frozen=True)
class FinetuneConfig:
    """Settings of fine-tuning."""

    epochs: int = 12
    patience: int = 4  # epochs without a better validation before stopping
    batch_size: int = 32  # bags
    learning_rate: float = 6e-4
    max_bag: int = 24  # sequences of one bag drawn into a step; an actor can have thousands


def finetune(
    encoder: Encoder, batch: Batch, bags: Bags, config: FinetuneConfig, *, seed: int, report: Report
) -> None:
    """Train `encoder` in place on the training bags, keeping the weights best on validation.

    Raises
    ------
    BadInput
        If the loss stops being a number.
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    train, validation = bags.of("train"), bags.of("validation")
    weight = _positive_weight(train.label)
    steps = sum(1 for _ in _batches(encoder, batch, train, config, np.random.default_rng(seed)))
    optimiser = Optimiser(encoder, config.learning_rate, steps * config.epochs)
    averaged = AveragedModel(encoder, avg_fn=_running_mean)
    judged = cast(Encoder, averaged.module)
    best = (_quality(encoder, batch, validation, weight), deepcopy(encoder.state_dict()))
    waited = 0
    for epoch in range(config.epochs):
        encoder.train()
        losses = []
        for part, share in _batches(encoder, batch, train, config, rng):
            target = torch.from_numpy(part.label).float().to(encoder.device)
            logits = bag_logits(encoder, _hide(batch.take(part.rows), rng), part).float()
            loss = nn.functional.binary_cross_entropy_with_logits(logits, target, pos_weight=weight)
            optimiser.step(loss)
            averaged.update_parameters(encoder)
            losses.append(loss.detach())
            report({"phase": "fine-tuning", "progress": (epoch + share) / config.epochs})
        quality = _quality(judged, batch, validation, weight)
        report(_point(losses, quality, epoch + 1, config.epochs))
        waited = 0 if quality > best[0] else waited + 1
        if quality > best[0]:
            best = (quality, deepcopy(judged.state_dict()))
        if waited >= config.patience:
            break
    encoder.load_state_dict(best[1])
    encoder.eval()


def bag_logits(encoder: Encoder, batch: Batch, bags: Bags) -> Tensor:
    """Return each bag's logit, (B,): the highest of its sequences, which `batch` holds in order."""
    logits = encoder(batch)
    margin = logits[:, POSITIVE] - logits[:, 1 - POSITIVE]  # (rows,)
    owner = np.repeat(np.arange(len(bags)), np.diff(bags.offsets))
    floor = torch.full((len(bags),), -torch.inf, device=margin.device, dtype=margin.dtype)
    index = torch.from_numpy(owner).to(margin.device)
    return floor.scatter_reduce(0, index, margin, "amax")


def _batches(
    encoder: Encoder, batch: Batch, train: Bags, config: FinetuneConfig, rng: np.random.Generator
) -> Iterator[tuple[Bags, float]]:
    """Give the training bags in random batches, and the share of the epoch that is done."""
    # Alike in length: one long sequence among short ones would pad them all.
    longest = np.maximum.reduceat(encoder.cost(batch)[train.rows], train.offsets[:-1])
    cost = longest * np.minimum(np.diff(train.offsets), config.max_bag)
    batches = shuffled(cost, size=config.batch_size, rng=rng)
    for number, index in enumerate(batches):
        yield _sample(train.take(index), config.max_bag, rng), number / len(batches)


def _point(
    losses: list[Tensor], quality: tuple[float, float], epoch: int, epochs: int
) -> dict[str, Any]:
    """Return an epoch's point of the curve, or refuse to go on without a loss."""
    loss = float(torch.stack(losses).mean())
    if not np.isfinite(loss):
        raise BadInput(DIVERGED)
    return {
        "phase": "fine-tuning",
        "progress": epoch / epochs,
        "epoch": epoch,
        "loss": loss,
        "validation_ap": quality[0],
        "validation_loss": -quality[1],
    }


def _running_mean(mean: Tensor, present: Tensor, updates: Tensor | int) -> Tensor:
    """Average the weights over steps (Polyak & Juditsky 1992), faster while there are few."""
    decay = min(DECAY, (1 + int(updates)) / (10 + int(updates)))
    return mean + (1 - decay) * (present - mean)


def _sample(bags: Bags, limit: int, rng: np.random.Generator) -> Bags:
    """Draw at most `limit` sequences of each bag."""
    parts = []
    for start, stop in zip(bags.offsets[:-1], bags.offsets[1:], strict=True):
        rows = bags.rows[start:stop]
        parts.append(rows if len(rows) <= limit else rng.choice(rows, limit, replace=False))
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
    return Bags(np.concatenate(parts), offsets, bags.label, bags.split, bags.unit)


def _hide(batch: Batch, rng: np.random.Generator) -> Batch:
    """Hide a share of each sequence's tokens, from none to all: single ones or whole events.

    Regularises; and an explanation hides tokens and events too, up to the whole sequence, so the
    model must know what to say when little is left: near the share of abuse it was shown.
    """
    share = rng.random(len(batch)) ** 3  # mean 1/4
    whole_events = rng.random(len(batch)) < 0.5
    of_event = rng.random(int(batch.positions.sum()))[batch.group]
    draw = np.where(whole_events[batch.owner], of_event, rng.random(len(batch.ids)))
    return batch.hidden((draw < share[batch.owner]) & (batch.field > 0))


def _quality(encoder: Encoder, batch: Batch, bags: Bags, weight: Tensor) -> tuple[float, float]:
    """Return average precision and, to break ties, the negative loss on validation."""
    score = bags.maximum(raw_scores(encoder, batch.take(bags.rows)))
    if not np.isfinite(score).all():
        raise BadInput(DIVERGED)
    clipped = torch.from_numpy(score).double().clamp(1e-7, 1 - 1e-7)
    target = torch.from_numpy(bags.label).double()
    weights = torch.where(target > 0, weight.cpu().double(), 1.0)
    loss = nn.functional.binary_cross_entropy(clipped, target, weight=weights)
    return float(average_precision_score(bags.label, score)), -float(loss)


def _positive_weight(label: npt.NDArray[np.int64]) -> Tensor:
    """Weigh the rarer class up, by the square root so that probabilities stay near calibrated."""
    positives = max(1, int(label.sum()))
    return torch.tensor(((len(label) - positives) / positives) ** 0.5)
