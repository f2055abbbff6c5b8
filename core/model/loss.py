"""What fine-tuning makes small: how unlikely the labels of bags are."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from core.batch import Batch
from core.model.encoder import POSITIVE, Encoder
from core.model.optimising import autocast
from core.model.schemes import UNTOLD, binary, kind_of, schemes_of
from core.model.units import Bags


@dataclass(frozen=True)
class Examples:
    """Bags to learn from in one step; no bag is in the shares of two processes."""

    part: Batch  # their sequences, as augmented
    bags: Bags  # of rows of `part`
    sure: Tensor  # (B,), how much each counts
    whole: float  # sum of `sure` over the step that this is, or is a share of
    positive_weight: Tensor
    label_smoothing: float
    focal_gamma: float

    def share(self, number: int, processes: int) -> "Examples | None":
        """Return a share of the bags; they are sorted by length, so each gets one in turn."""
        index = np.arange(number, len(self.bags), processes)
        if not len(index):
            return None
        bags = self.bags.take(index)
        part = self.part.take(bags.rows)
        bags = replace(bags, rows=np.arange(len(bags.rows)))
        return replace(self, part=part, bags=bags, sure=self.sure[index])

    def loss(self, encoder: Encoder) -> Tensor:
        """Return the mean of the bags' losses, (), or what a share adds to that of its step."""
        with autocast(encoder.device):
            logits = encoder(self.part).float()  # (rows, K)
        loss = binary_loss(
            bag_logits(logits, self.bags),
            self.bags.label,
            positive_weight=self.positive_weight.to(encoder.device),
            label_smoothing=self.label_smoothing,
            focal_gamma=self.focal_gamma,
        )
        if schemes := schemes_of(encoder):
            loss = loss + kind_loss(logits, self.bags, schemes)
        return (self.sure.to(encoder.device) * loss).sum() / self.whole


def bag_logits(logits: Tensor, bags: Bags) -> Tensor:
    """Return each bag's logit of abuse, (B,): the highest of its sequences', (rows, K) in order."""
    both = binary(logits)
    margin = both[:, POSITIVE] - both[:, 0]  # (rows,)
    owner = np.repeat(np.arange(len(bags)), np.diff(bags.offsets))
    floor = torch.full((len(bags),), -torch.inf, device=margin.device, dtype=margin.dtype)
    index = torch.from_numpy(owner).to(margin.device)
    return floor.scatter_reduce(0, index, margin, "amax")


def binary_loss(
    logits: Tensor,
    label: npt.NDArray[np.int64],
    *,
    positive_weight: Tensor,
    label_smoothing: float,
    focal_gamma: float,
) -> Tensor:
    """Return the cross entropy of each bag's label, (B,).

    With `focal_gamma` above 0, what is decided already counts less (Lin et al., ICCV 2017).
    """
    target = torch.from_numpy(label).float().to(logits.device)
    plain = nn.functional.binary_cross_entropy_with_logits(
        logits,
        target * (1 - label_smoothing) + label_smoothing / 2,
        pos_weight=positive_weight,
        reduction="none",
    )
    if focal_gamma <= 0:
        return plain
    wrong = torch.sigmoid(torch.where(target > 0, -logits, logits))
    return wrong**focal_gamma * plain


def kind_loss(logits: Tensor, bags: Bags, schemes: list[str]) -> Tensor:
    """Return how unlikely each bag's scheme is, given that it is abuse, (B,); 0 if nobody named it.

    Of a bag's sequences, whose `logits` (rows, K) are in order, the most abusive one decides. With
    the loss of the binary score this is the likelihood of the classes as far as they are told.
    """
    kind = kind_of(bags, schemes)
    told = np.flatnonzero(kind != UNTOLD)
    both = binary(logits.detach())
    highest = bags.highest((both[:, POSITIVE] - both[:, 0]).cpu().numpy())[told]
    rows = torch.from_numpy(highest).to(logits.device)
    target = torch.from_numpy(kind[told]).to(logits.device)
    loss = nn.functional.cross_entropy(logits[rows, POSITIVE:], target, reduction="none")
    place = torch.from_numpy(told).to(logits.device)
    return torch.zeros(len(bags), device=logits.device).index_add(0, place, loss)
