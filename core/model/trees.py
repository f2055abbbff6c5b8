"""Boosted trees over how often each token occurs, which judge beside the transformer.

Attention averages, so how many there are of something is what it learns worst, and what counters
see at once. Wide & Deep (Cheng et al., DLRS 2016) joins both kinds of evidence; here gradient
boosted trees (Friedman, Annals of Statistics 29, 2001; those of scikit-learn) read the same tokens
as the transformer, so that hiding, explaining and editing them counts in both.
"""

from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from core.batch import Batch
from core.errors import BadInput
from core.tokens import Tokenizer

FILE: Final = "trees.safetensors"
DEPTH: Final = 4  # of a tree, in questions


class Trees(nn.Module):
    """Trees of at most `DEPTH` questions, all their nodes in one row; a leaf is its own child.

    Questions are about columns: first the fields of the profile, of which the place of the token
    among those of its field counts, then the tokens of events, of which the number does. All are
    whole, so that nothing is lost where a model computes in bf16.
    """

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
        for name in ("column", "counts", "roots", "asked", "limit", "left", "right", "value"):
            self.register_buffer(name, parts.pop(name))
        self.register_buffer("base", parts.pop("base"))
        if parts:
            raise TypeError(f"{', '.join(parts)}: no part of trees")
        self.width = int(self.column.max()) + 1  # asked for once: a GPU would be waited for

    def forward(self, batch: Batch) -> Tensor:
        """Return the log-odds of abuse of each sequence, (N,)."""
        table = count_tokens(self.column, self.counts, batch, self.width)
        first = torch.arange(len(batch), device=table.device)[:, None] * self.width
        node = self.roots.expand(len(batch), -1)
        for _ in range(DEPTH):
            found = table.take(first + self.asked.take(node))
            goes_left = found <= self.limit.take(node)
            node = torch.where(goes_left, self.left.take(node), self.right.take(node))
        return self.value.take(node).float().sum(1) + self.base.float()

    def save(self, folder: Path) -> None:
        """Write ``trees.safetensors``."""
        save_file(self.state_dict(), folder / FILE)

    @classmethod
    def load(cls, folder: Path, tokenizer: Tokenizer) -> "Trees | None":
        """Read what `save` wrote; None where nothing was.

        Raises
        ------
        BadInput
            If it is damaged, or made with another vocabulary.
        """
        if not (folder / FILE).exists():
            return None
        try:
            trees = cls(**load_file(folder / FILE))
        except (OSError, KeyError, TypeError, SafetensorError) as error:
            raise BadInput(f"{folder / FILE} is damaged: {error}.") from error
        if len(trees.column) != len(tokenizer) or not trees.value.isfinite().all():
            raise BadInput(f"{folder / FILE} is damaged, or made with another vocabulary.")
        return trees


def count_tokens(column: Tensor, counts: Tensor, batch: Batch, width: int) -> Tensor:
    """Return each sequence's columns, (N, width), of int64."""
    parts = [torch.from_numpy(part.astype(np.int64)) for part in (batch.ids, batch.owner)]
    if column.is_cuda:
        parts = [part.pin_memory() for part in parts]  # a GPU need not be waited for
    ids, owner = (part.to(column.device, non_blocking=True) for part in parts)
    flat = column.new_zeros(len(batch) * width)
    return flat.index_add_(0, owner * width + column[ids], counts[ids]).view(-1, width)
