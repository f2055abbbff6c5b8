"""What judges beside the transformer: a linear model and boosted trees, of the same tokens.

Attention averages, so how many there are of something is what it learns worst, and what counters
see at once; and of rare tokens, such as single items, it learns from few labels little. Wide & Deep
(Cheng et al., DLRS 2016) joins such evidence with that of a deep model. Here a logistic regression
reads which tokens the events of a sequence hold, and gradient boosted trees (Friedman, Annals of
Statistics 29, 2001) read the profile and how many of each token there are; both are of
scikit-learn. These are the tokens that the transformer reads, so that hiding, explaining and
editing them counts in all three.
"""

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from core.batch import MASK, Batch
from core.errors import BadInput
from core.tokens import Tokenizer

FILE: Final = "counters.safetensors"
DEPTH: Final = 4  # of a tree, in questions
TOGETHER: Final = 64  # sequences whose tokens are told apart at once


class Counters(nn.Module):
    """A weight for each token, and trees of at most `DEPTH` questions, all their nodes in one row.

    Questions are about columns: first the fields of the profile, of which the place of the token
    among those of its field counts, then the tokens of events, of which the number does. All are
    whole, so that nothing is lost where a model computes in bf16. A leaf is its own child.
    """

    weight: Tensor  # (V,) what a token adds to the linear log-odds, once; [MASK] by its share
    bias: Tensor  # (), linear log-odds without any token
    column: Tensor  # (V,) of each token; the last one, which nothing asks for, of what is uncounted
    counts: Tensor  # (V,) what one of the token adds to it
    roots: Tensor  # (trees,)
    asked: Tensor  # (nodes,) column
    limit: Tensor  # (nodes,) highest value whose answer is left
    left: Tensor  # (nodes,)
    right: Tensor  # (nodes,)
    value: Tensor  # (nodes,) what a leaf adds to the log-odds
    base: Tensor  # (), log-odds without any tree

    def __init__(self, **parts: Tensor) -> None:
        super().__init__()
        for name in self.__annotations__:
            self.register_buffer(name, parts.pop(name))
        if parts:
            raise TypeError(f"{', '.join(parts)}: no part of counters")
        self.width = int(self.column.max()) + 1  # asked for once: a GPU would be waited for

    def forward(self, batch: Batch) -> Tensor:
        """Return the log-odds of abuse of each sequence, of linear model and of trees, (N, 2)."""
        return torch.stack([self._linear(batch), self._trees(batch)], dim=1)

    def _linear(self, batch: Batch) -> Tensor:
        of_events = batch.event > 0
        ids, owner = batch.ids[of_events], batch.owner[of_events]
        hidden = ids == MASK
        once = np.flatnonzero(~hidden)
        once = once[_last_of_equal(owner[once], ids[once], len(self.weight))]
        starts = np.searchsorted(owner[once], np.arange(len(batch)))
        size = np.maximum(np.bincount(owner, minlength=len(batch)), 1)
        share = (np.bincount(owner, hidden, len(batch)) / size).astype(np.float32)
        tokens, bags, of_hidden = _on(self.weight.device, ids[once].astype(np.int64), starts, share)
        weight = self.weight.float()
        # In bags: a GPU would add into one place in any order.
        held: Tensor = nn.functional.embedding_bag(tokens, weight[:, None], bags, mode="sum")
        return held[:, 0] + of_hidden * weight[MASK] + self.bias.float()

    def _trees(self, batch: Batch) -> Tensor:
        table = count_tokens(self.column, self.counts, batch, self.width)
        first = torch.arange(len(batch), device=table.device)[:, None] * self.width
        node = self.roots.expand(len(batch), -1)
        for _ in range(DEPTH):
            found = table.take(first + self.asked.take(node))
            goes_left = found <= self.limit.take(node)
            node = torch.where(goes_left, self.left.take(node), self.right.take(node))
        return self.value.take(node).float().sum(1) + self.base.float()

    def save(self, folder: Path) -> str:
        """Write ``counters.safetensors``; return the file's digest, which `load` asks for."""
        save_file(self.state_dict(), folder / FILE)
        return _digest(folder / FILE)

    @classmethod
    def load(cls, folder: Path, tokenizer: Tokenizer, digest: str | None) -> "Counters | None":
        """Read what `save` wrote; None where nothing was.

        Raises
        ------
        BadInput
            If it is missing, damaged, of another model or made with another vocabulary.
        """
        if digest is None and not (folder / FILE).exists():
            return None
        try:
            if digest not in (None, _digest(folder / FILE)):
                raise BadInput(f"{folder / FILE} is damaged, or of another model.")
        except OSError as error:
            raise BadInput(f"{folder / FILE} is missing: {error}.") from error
        try:
            read = cls(**load_file(folder / FILE))
        except (OSError, KeyError, TypeError, SafetensorError) as error:
            raise BadInput(f"{folder / FILE} is damaged: {error}.") from error
        known = len(read.weight) == len(read.column) == len(tokenizer)
        if not (known and read.weight.isfinite().all() and read.value.isfinite().all()):
            raise BadInput(f"{folder / FILE} is damaged, or made with another vocabulary.")
        return read


def count_tokens(column: Tensor, counts: Tensor, batch: Batch, width: int) -> Tensor:
    """Return each sequence's columns, (N, width), of int64."""
    ids, owner = _on(column.device, batch.ids.astype(np.int64), batch.owner)
    flat = column.new_zeros(len(batch) * width)
    return flat.index_add_(0, owner * width + column[ids], counts[ids]).view(-1, width)


def _last_of_equal(
    owner: npt.NDArray[np.int64], ids: npt.NDArray[np.int32], vocabulary: int
) -> npt.NDArray[np.bool_]:
    """Tell for each token of sequences, which `owner` numbers, whether it is their last such one.

    Each token is written where its sequence and id say, and the last remains. For few sequences at
    a time the places fit into the processor's cache: sorting all tokens takes five times as long.
    """
    last = np.empty(len(ids), dtype=bool)
    place = np.empty(TOGETHER * vocabulary, dtype=np.int32)
    cuts = np.searchsorted(owner, np.arange(0, owner.max(initial=0) + TOGETHER + 1, TOGETHER))
    for number, (start, end) in enumerate(itertools.pairwise(cuts)):
        at = (owner[start:end] - number * TOGETHER) * vocabulary + ids[start:end]
        each = np.arange(end - start, dtype=np.int32)
        place[at] = each
        last[start:end] = place[at] == each
    return last


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def _on(device: torch.device, *arrays: npt.NDArray[Any]) -> Iterator[Tensor]:
    """Give arrays as tensors on a device."""
    for array in arrays:
        tensor = torch.from_numpy(array)
        if device.type == "cuda":
            tensor = tensor.pin_memory()  # a GPU need not be waited for
        yield tensor.to(device, non_blocking=True)
