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
from core.model.adapting import RATE, Method, adapt, merge
from core.model.augment import AUGMENTATIONS
from core.model.batching import Report, shuffled
from core.model.calibration import fit_temperature
from core.model.encoder import POSITIVE, Encoder
from core.model.inference import probabilities
from core.model.optimising import Optimiser, autocast
from core.model.units import Bags

DIVERGED = "Fine-tuning diverged (the loss is not a number): lower the learning rate."
DECAY = 0.99  # per step, of the running mean of the weights, which is what is judged and kept

Weights = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FinetuneConfig:
    """Settings of fine-tuning."""

    method: Method = "full"
    epochs: int = 12
    patience: int = 4  # epochs without a better validation before stopping
    batch_size: int = 32  # bags
    accumulate: int = 1  # batches to a step
    learning_rate: float = 6e-4  # of the full method; the others learn faster, having less to learn
    warm_up: float = 0.1  # share of the training
    weight_decay: float = 0.01
    dropout: float = 0.1
    label_smoothing: float = 0.0
    focal_gamma: float = 0.0  # above 0, what is decided already counts less (Lin et al., ICCV 2017)
    augmentations: tuple[str, ...] = ("hide",)
    max_bag: int = 24  # sequences of one bag drawn into a step; an actor can have thousands


def finetune(
    encoder: Encoder,
    batch: Batch,
    bags: Bags,
    config: FinetuneConfig,
    *,
    seed: int,
    report: Report,
    confidence: Weights | None = None,
) -> None:
    """Train `encoder` in place on the training bags, keeping the weights best on validation.

    Parameters
    ----------
    confidence
        How sure the label of each of the batch's sequences is, (N,); all alike without it.

    Raises
    ------
    BadInput
        If the loss stops being a number.
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    train, validation = bags.of("train"), bags.of("validation")
    sure = np.ones(len(batch)) if confidence is None else confidence
    encoder.bert.config.calibration_temperature = 1.0
    adapt(encoder, config.method).to(encoder.device)
    _set_dropout(encoder, config.dropout)
    weight = _positive_weight(train.label).to(encoder.device)
    optimiser = Optimiser(
        encoder,
        config.learning_rate * RATE[config.method],
        warm_up=config.warm_up,
        weight_decay=config.weight_decay,
    )
    averaged = AveragedModel(encoder, avg_fn=_running_mean)
    judged = cast(Encoder, averaged.module)
    best = (_quality(encoder, batch, validation, weight), deepcopy(encoder.state_dict()))
    waited = 0
    for epoch in range(config.epochs):
        encoder.train()
        losses = []
        for number, (part, share) in enumerate(_batches(encoder, batch, train, config, rng)):
            loss = _loss(encoder, batch, part, config, rng, weight, sure)
            optimiser.add(loss / config.accumulate)
            losses.append(loss.detach())
            if (number + 1) % config.accumulate == 0:
                optimiser.step((epoch + share) / config.epochs)
                averaged.update_parameters(encoder)
            report({"phase": "fine-tuning", "progress": (epoch + share) / config.epochs})
        mean = _finite(losses)
        quality = _quality(judged, batch, validation, weight)
        report(_point(mean, quality, epoch + 1, config.epochs))
        waited = 0 if quality > best[0] else waited + 1
        if quality > best[0]:
            best = (quality, deepcopy(judged.state_dict()))
        if waited >= config.patience:
            break
    encoder.load_state_dict(best[1])
    merge(encoder).eval()
    encoder.bert.config.calibration_temperature = _temperature(encoder, batch, validation)


def _loss(
    encoder: Encoder,
    batch: Batch,
    bags: Bags,
    config: FinetuneConfig,
    rng: np.random.Generator,
    positive_weight: Tensor,
    sure: Weights,
) -> Tensor:
    """Return the loss of some bags, each counting as much as its label is sure."""
    part = batch.take(bags.rows)
    for name in config.augmentations:
        part = AUGMENTATIONS[name](part, rng, encoder.tokenizer)
    with autocast(encoder.device):
        logits = bag_logits(encoder, part, bags).float()
    target = torch.from_numpy(bags.label).float().to(encoder.device)
    plain = nn.functional.binary_cross_entropy_with_logits(
        logits,
        target * (1 - config.label_smoothing) + config.label_smoothing / 2,
        pos_weight=positive_weight,
        reduction="none",
    )
    if config.focal_gamma > 0:
        wrong = torch.sigmoid(torch.where(target > 0, -logits, logits))
        plain = wrong**config.focal_gamma * plain
    of_bag = np.add.reduceat(sure[bags.rows], bags.offsets[:-1]) / np.diff(bags.offsets)
    weight = torch.from_numpy(of_bag).float().to(encoder.device)
    return (weight * plain).sum() / weight.sum().clamp(min=1e-6)


def _set_dropout(encoder: Encoder, share: float) -> None:
    for module in encoder.modules():
        if isinstance(module, nn.Dropout):
            module.p = share


def _temperature(encoder: Encoder, batch: Batch, validation: Bags) -> float:
    """Return what makes the validation bags' probabilities honest; they trained nothing."""
    score = validation.maximum(probabilities(encoder, batch.take(validation.rows)))
    clipped = np.clip(score.astype(np.float64), 1e-6, 1 - 1e-6)
    return fit_temperature(np.log(clipped / (1 - clipped)), validation.label)


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


def _finite(losses: list[Tensor]) -> float:
    """Return an epoch's mean loss, or refuse to go on without one."""
    loss = float(torch.stack(losses).mean())
    if not np.isfinite(loss):
        raise BadInput(DIVERGED)
    return loss


def _point(loss: float, quality: tuple[float, float], epoch: int, epochs: int) -> dict[str, Any]:
    """Return an epoch's point of the curve."""
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


def _quality(encoder: Encoder, batch: Batch, bags: Bags, weight: Tensor) -> tuple[float, float]:
    """Return average precision and, to break ties, the negative loss on validation."""
    score = bags.maximum(probabilities(encoder, batch.take(bags.rows)))
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
