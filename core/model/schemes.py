"""Which kind of abuse: further classes of the head beside the binary score.

The classes of the head are `normal`, `abuse` and then one for each scheme the model tells apart;
`abuse` is abuse of any other kind. The score is the probability of all but `normal` together, so
that whoever does not ask for schemes sees a binary model, and one without schemes is just that.
"""

from collections.abc import Sequence
from math import log

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from core.model.encoder import ID2LABEL, POSITIVE, Encoder
from core.model.units import Bags
from core.schema import OTHER_SCHEME

UNTOLD = -1  # the kind of what is normal, and of abuse of which nobody said what it is


def binary(logits: Tensor) -> Tensor:
    """Return the logits of `normal` and of all abuse, (N, 2), from those of the classes, (N, K)."""
    return torch.stack([logits[:, 0], logits[:, POSITIVE:].logsumexp(1)], dim=1)


def schemes_of(encoder: Encoder) -> list[str]:
    """Return the schemes a model tells apart, in the order of its classes."""
    names = encoder.bert.config.id2label
    return [names[number] for number in range(len(ID2LABEL), len(names))]


def kinds_of(encoder: Encoder) -> list[str]:
    """Return what the classes of abuse are called; none where the model has one only."""
    schemes = schemes_of(encoder)
    return [OTHER_SCHEME, *schemes] if schemes else []


def add_schemes(encoder: Encoder, names: Sequence[str]) -> None:
    """Give a classifier classes for those of the schemes it has none for, in place.

    They take equal shares of `abuse`, so that no score changes.
    """
    config = encoder.bert.config
    known = [config.id2label[number] for number in range(len(config.id2label))]
    new = [name for name in names if name not in known]
    if not new:
        return
    head = _head(encoder.bert, len(known))
    with torch.no_grad():
        weight = torch.cat([head.weight, head.weight[[POSITIVE] * len(new)]])
        bias = torch.cat([head.bias, head.bias[[POSITIVE] * len(new)]])
        bias[[POSITIVE, *range(len(known), len(bias))]] -= log(1 + len(new))
    head.weight, head.bias = nn.Parameter(weight), nn.Parameter(bias)
    head.out_features = len(bias)
    config.id2label = dict(enumerate([*known, *new]))
    config.label2id = {name: number for number, name in config.id2label.items()}
    encoder.bert.num_labels = len(bias)


def kind_of(bags: Bags, schemes: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return each bag's place among the classes of abuse, (B,), or `UNTOLD`.

    A scheme the model has no class for is abuse of another kind.
    """
    place = {name: number + 1 for number, name in enumerate(schemes)}
    told = [
        UNTOLD if name is None or not label else place.get(name, 0)
        for name, label in zip(bags.scheme, bags.label, strict=True)
    ]
    return np.array(told, dtype=np.int64)


def _head(bert: nn.Module, classes: int) -> nn.Linear:
    """Return the layer that gives the logits: the last one as wide as there are classes."""
    layers = [part for part in bert.modules() if isinstance(part, nn.Linear)]
    return [layer for layer in layers if layer.out_features == classes][-1]
