"""Fine-tuning on labels: AdamW, class weights, early stopping, bags of sequences as units."""

from copy import deepcopy
from dataclasses import dataclass, field, replace
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
from core.model.calibration import calibrate, set_temperatures
from core.model.checkpoint import Checkpoint, Position
from core.model.counting import fit_counters
from core.model.distributed import Add, shared
from core.model.encoder import Encoder
from core.model.inference import probabilities_by_kind
from core.model.loss import Examples
from core.model.optimising import Optimiser
from core.model.schemes import (
    UNTOLD,
    add_schemes,
    kind_of,
    schemes_of,
)
from core.model.units import Bags, told_apart

DIVERGED = "Fine-tuning diverged (the loss is not a number): lower the learning rate."
DECAY = 0.99  # per step, of the running mean of the weights, which is what is judged and kept
EPOCHS = 12
STEPS = 600  # at least: a few labels take more epochs (Mosbach et al., ICLR 2021)

Weights = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FinetuneConfig:
    """Settings of fine-tuning."""

    method: Method = "full"
    epochs: int | None = None  # default: `EPOCHS`, or those that `STEPS` take if these are more
    patience: int | None = None  # epochs without a better validation; default: a third of them
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
    checkpoint: Checkpoint | None = None,
) -> None:
    """Train `encoder` in place on the training bags, keeping the weights best on validation.

    Schemes that enough of the training bags name become classes of the head.

    Parameters
    ----------
    confidence
        How sure the label of each of the batch's sequences is, (N,); all alike without it.
    checkpoint
        What a fine-tuning that was killed goes on from, to the same weights as one that was not;
        by default nothing is kept.

    Raises
    ------
    BadInput
        If the loss stops being a number, or the disk is full.
    """
    encoder.counters = None  # they are fitted anew, from all that is learned
    torch.manual_seed(seed)  # of the low-rank additions
    add_schemes(encoder, told_apart(bags))
    set_temperatures(encoder, 1.0, 1.0)
    adapt(encoder, config.method).to(encoder.device)
    _set_dropout(encoder, config.dropout)
    sure = np.ones(len(batch)) if confidence is None else confidence
    run = _Finetuning(encoder, batch, bags, config, seed, sure, checkpoint or Checkpoint(None))
    run.restore()
    with shared(encoder) as add:
        while run.position.epoch < run.epochs and run.waited < run.patience:
            run.epoch(add, report)
    run.save()
    encoder.load_state_dict(run.best)
    merge(encoder).eval()
    if encoder.has_counters:
        encoder.counters = fit_counters(encoder, batch, bags.of("train"), sure, seed)
    validation = bags.of("validation")  # these trained nothing
    calibrate(encoder, *_of_bags(encoder, batch, validation), validation)


@dataclass
class _Finetuning:
    """A fine-tuning under way.

    Everything random in it depends on the seed and the number of the step, see
    `core.model.checkpoint`.
    """

    encoder: Encoder
    batch: Batch
    bags: Bags
    config: FinetuneConfig
    seed: int
    sure: Weights
    checkpoint: Checkpoint
    position: Position = field(default_factory=Position)  # `batch` of `epoch` comes next
    waited: int = 0  # epochs without a better validation
    losses: list[Tensor] = field(default_factory=list)  # of this epoch so far

    def __post_init__(self) -> None:
        self.train, self.validation = self.bags.of("train"), self.bags.of("validation")
        steps = -(-len(self._batches()) // self.config.accumulate)  # to an epoch
        self.epochs = self.config.epochs or max(EPOCHS, -(-STEPS // steps))
        self.patience = self.config.patience or max(4, self.epochs // 3)
        self.weight = _positive_weight(self.train.label)
        self.optimiser = Optimiser(
            self.encoder,
            self.config.learning_rate * RATE[self.config.method],
            warm_up=self.config.warm_up,
            weight_decay=self.config.weight_decay,
        )
        self.averaged = AveragedModel(self.encoder, avg_fn=_running_mean)
        self.best: dict[str, Tensor] = {}
        self.quality = (-np.inf, -np.inf)

    def restore(self) -> None:
        """Go to where the checkpoint is; without one, judge the weights there are."""
        self.position, kept = self.checkpoint.restore(self.encoder, self.optimiser)
        if not kept:
            self.keep_if_better(self.encoder)
            return
        self.averaged.load_state_dict(kept["averaged"])
        self.best, self.quality = kept["best"], tuple(kept["quality"])
        self.waited, self.losses = kept["waited"], kept["losses"]

    def save(self) -> None:
        """Write the checkpoint."""
        further = {
            "averaged": self.averaged.state_dict(),
            "best": self.best,
            "quality": list(self.quality),
            "waited": self.waited,
            "losses": self.losses,
        }
        self.checkpoint.save(self.encoder, self.optimiser, self.position, further)

    def epoch(self, add: Add, report: Report) -> None:
        """Go through what is left of an epoch, judge the averaged weights, tell both."""
        number, epochs = self.position.epoch, self.epochs
        batches = self._batches()
        self.encoder.train()
        for place in range(self.position.batch, len(batches)):
            done = (number + place / len(batches)) / epochs
            self._step(add, batches[place], done, last=place + 1 == len(batches))
            report({"phase": "fine-tuning", "progress": done})
        loss = _finite(self.losses)
        judged = self.keep_if_better(cast(Encoder, self.averaged.module))
        self.position = Position(number + 1, step=self.position.step)
        self.losses = []
        report(_point(loss, judged, number + 1, epochs))

    def keep_if_better(self, encoder: Encoder) -> tuple[float, float]:
        """Judge an encoder on validation, keep its weights if they are best; return how good."""
        judged = _quality(encoder, self.batch, self.validation, self.weight)
        self.waited = 0 if judged > self.quality else self.waited + 1
        if judged > self.quality:
            self.quality, self.best = judged, deepcopy(encoder.state_dict())
        return judged

    def _step(self, add: Add, index: npt.NDArray[np.int64], done: float, *, last: bool) -> None:
        """Add the gradient of some bags; every `accumulate` batches, and at last, go down it."""
        at = self.position
        examples = self._examples(index, np.random.default_rng([self.seed, at.step]))
        self.losses.append(add(examples, (self.seed << 32) + at.step, self.config.accumulate))
        self.position = replace(at, batch=at.batch + 1, step=at.step + 1)
        if last or self.position.batch % self.config.accumulate == 0:
            self.optimiser.step(done)
            self.averaged.update_parameters(self.encoder)
            if self.checkpoint.due:
                _finite(self.losses)
                self.save()

    def _batches(self) -> list[npt.NDArray[np.int64]]:
        """Return this epoch's random batches of training bags."""
        # Alike in length: one long sequence among short ones would pad them all.
        cost = self.encoder.cost(self.batch)[self.train.rows]
        longest = np.maximum.reduceat(cost, self.train.offsets[:-1])
        rng = np.random.default_rng([self.seed, self.position.epoch, 1])
        return shuffled(
            longest * np.minimum(np.diff(self.train.offsets), self.config.max_bag),
            size=self.config.batch_size,
            rng=rng,
        )

    def _examples(self, index: npt.NDArray[np.int64], rng: np.random.Generator) -> Examples:
        """Return training bags as a step sees them, each counting as much as its label is sure."""
        bags = _sample(self.train.take(index), self.config.max_bag, rng)
        part = self.batch.take(bags.rows)
        for name in self.config.augmentations:
            part = AUGMENTATIONS[name](part, rng, self.encoder.tokenizer)
        of_bag = np.add.reduceat(self.sure[bags.rows], bags.offsets[:-1]) / np.diff(bags.offsets)
        sure = torch.from_numpy(of_bag).float()
        whole = float(sure.sum().clamp(min=1e-6))
        bags = replace(bags, rows=np.arange(len(bags.rows)))
        smoothing, gamma = self.config.label_smoothing, self.config.focal_gamma
        return Examples(part, bags, sure, whole, self.weight, smoothing, gamma)


def _set_dropout(encoder: Encoder, share: float) -> None:
    for module in encoder.modules():
        if isinstance(module, nn.Dropout):
            module.p = share


def _of_bags(
    encoder: Encoder, batch: Batch, bags: Bags
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return each bag's probability of abuse, (B,), and of each kind if it is abuse, (B, K)."""
    score, kinds = probabilities_by_kind(encoder, batch.take(bags.rows))
    if not np.isfinite(score).all():
        raise BadInput(DIVERGED)
    highest = bags.highest(score)
    return score[highest], kinds[highest]


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
    return replace(bags, rows=np.concatenate(parts), offsets=offsets)


def _quality(encoder: Encoder, batch: Batch, bags: Bags, weight: Tensor) -> tuple[float, float]:
    """Return average precision and, to break ties, the negative loss on validation."""
    score, kinds = _of_bags(encoder, batch, bags)
    clipped = torch.from_numpy(score).double().clamp(1e-7, 1 - 1e-7)
    target = torch.from_numpy(bags.label).double()
    weights = torch.where(target > 0, weight.double(), 1.0)
    loss = float(nn.functional.binary_cross_entropy(clipped, target, weight=weights))
    kind = kind_of(bags, schemes_of(encoder))
    told = np.flatnonzero(kind != UNTOLD)
    unlikely = -np.log(kinds[told, kind[told]].clip(1e-7)).sum() / len(bags)
    return float(average_precision_score(bags.label, score)), -loss - float(unlikely)


def _positive_weight(label: npt.NDArray[np.int64]) -> Tensor:
    """Weigh the rarer class up, by the square root so that probabilities stay near calibrated."""
    positives = max(1, int(label.sum()))
    return torch.tensor(((len(label) - positives) / positives) ** 0.5)
