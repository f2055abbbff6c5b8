"""How likely tokens are among those of their field: what pre-training makes small, and surprise."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from core.tokens import Tokenizer

Measure = Callable[[Tensor, Tensor], Tensor]  # of (m, tokens of a field) and (m,), gives (m,)


def surprise(logits: Tensor, target: Tensor) -> Tensor:
    """Return the negative log-likelihood of each target, (m,), in nats."""
    return nn.functional.cross_entropy(logits, target, reduction="none")


def excess_surprise(logits: Tensor, target: Tensor) -> Tensor:
    """Return how much more surprising each target is than the model expected, (m,), in nats.

    The surprise less its expectation, the entropy (as in typical sampling; Meister et al., TACL
    2023): a fact that could be anything, a gap of some minutes say, surprises nobody.
    """
    likelihood = logits.log_softmax(-1)
    entropy = -(likelihood.exp() * likelihood).sum(-1)
    return -likelihood.gather(1, target[:, None])[:, 0] - entropy


def by_field(
    decoder: Any,
    tokenizer: Tokenizer,
    states: Tensor,
    ids: npt.NDArray[np.int32],
    field: npt.NDArray[np.int16],
    measure: Measure,
) -> Tensor:
    """Measure each id among the tokens of its field, (M,).

    Parameters
    ----------
    decoder
        The stock model's, from states to the logits of all tokens.
    states
        At the positions of the ids, (M, H).
    """
    order = np.argsort(field, kind="stable")
    counts = np.bincount(field, minlength=len(tokenizer.starts) + 1)
    # Split once: a slice per field would build a gradient of the whole vocabulary for each.
    sizes = np.diff([0, *tokenizer.starts, len(tokenizer)]).tolist()
    targets = torch.from_numpy(ids[order].astype(np.int64)).to(states.device)
    parts = zip(
        torch.split(states[torch.from_numpy(order).to(states.device)], counts.tolist()),
        torch.split(targets, counts.tolist()),
        decoder.weight.split(sizes),
        decoder.bias.split(sizes),
        [0, *tokenizer.starts],
        strict=True,
    )
    measured = [
        measure(nn.functional.linear(state, weight, bias).float(), target - low)
        for state, target, weight, bias, low in parts
        if len(target)
    ]
    back = torch.from_numpy(np.argsort(order)).to(states.device)
    return torch.cat(measured)[back]
