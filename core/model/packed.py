"""Sequences through a stock BERT without padding.

The positions of all sequences lie one behind another in a single row, so that linear layers compute
nothing that is thrown away, and each sequence attends to itself alone (Krell et al., "Efficient
Sequence Packing without Cross-contamination", 2021). The modules are the stock model's own.
"""

from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from core.model.linear import linear

Lengths = npt.NDArray[np.int64]


def packed_states(bert: Any, states: Tensor, lengths: Lengths, *, opening: bool) -> Tensor:
    """Return the last layer's output at all positions, (P, H), or the `opening` ones only, (N, H).

    Parameters
    ----------
    bert
        A stock ``BertModel`` that is not in training.
    states
        Its embedded positions, (P, H).
    lengths
        Positions of each sequence, (N,); attention is fastest where equal lengths are neighbours.
    """
    last = len(bert.encoder.layer) - 1
    for number, layer in enumerate(bert.encoder.layer):
        attention = layer.attention.self
        keys, values = linear(attention.key, states), linear(attention.value, states)
        asked = lengths
        if opening and number == last:  # what follows the last attention looks at nothing else
            first = torch.from_numpy(np.cumsum(lengths) - lengths).to(states.device)
            states, asked = states[first], np.ones_like(lengths)
        heads = (-1, attention.num_attention_heads, attention.attention_head_size)
        parts = [part.view(heads) for part in (linear(attention.query, states), keys, values)]
        context = _attend(parts, asked, lengths).flatten(1)
        states = _after_attention(layer, context, states)
    return states


def _after_attention(layer: Any, context: Tensor, states: Tensor) -> Tensor:
    """Return a layer's output, (P, H): what the stock modules do but for dropout."""
    attended, between, output = layer.attention.output, layer.intermediate, layer.output
    states = attended.LayerNorm(linear(attended.dense, context).add_(states))
    hidden = linear(between.dense, states, between.intermediate_act_fn)
    return cast(Tensor, output.LayerNorm(linear(output.dense, hidden).add_(states)))


def rolled_out(bert: Any, states: Tensor) -> Tensor:
    """Return how much of each position of one sequence reaches its first, (P,); sums to 1.

    Attention roll-out (Abnar & Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020):
    the product over the layers of the heads' mean attention, half of it kept for the residual.

    Parameters
    ----------
    bert
        A stock ``BertModel`` that is not in training.
    states
        The sequence's embedded positions, (P, H).
    """
    mixed = []
    for layer in bert.encoder.layer:
        attention = layer.attention.self
        heads = (len(states), attention.num_attention_heads, attention.attention_head_size)
        query, key, value = (
            part(states).view(heads).transpose(0, 1)  # (heads, P, width)
            for part in (attention.query, attention.key, attention.value)
        )
        weights = (query @ key.transpose(1, 2) / heads[-1] ** 0.5).softmax(-1)
        context = (weights @ value).transpose(0, 1).flatten(1)
        states = _after_attention(layer, context, states)
        mixed.append(weights.float().mean(0))
    reached = torch.zeros(len(states), device=states.device)
    reached[0] = 1.0
    for weights in reversed(mixed):  # a vector at a time: the product of matrices is not needed
        reached = (reached + reached @ weights) / 2
    return reached


def _attend(parts: list[Tensor], asked: Lengths, lengths: Lengths) -> Tensor:
    """Return each sequence's attention to itself: `parts` are (positions, heads, width) each.

    `asked` are the positions of each sequence among the queries, `lengths` among keys and values.
    """
    if parts[0].is_cuda and parts[0].dtype == torch.bfloat16:
        return _attend_on_gpu(parts, asked, lengths)
    context = torch.empty_like(parts[0])
    begins = np.flatnonzero(np.diff(lengths, prepend=-1))
    ends = np.append(begins[1:], len(lengths))
    queried, kept = 0, 0
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        times, rows, length = end - begin, int(asked[begin]), int(lengths[begin])
        slices = [slice(queried, queried + times * rows)] + [slice(kept, kept + times * length)] * 2
        query, key, value = (
            part[where]
            .reshape(times, -1, *part.shape[1:])
            .transpose(1, 2)  # (times, heads, length, width)
            for part, where in zip(parts, slices, strict=True)
        )
        found = scaled_dot_product_attention(query, key, value).transpose(1, 2)
        context[slices[0]] = found.flatten(0, 1)
        queried, kept = slices[0].stop, slices[1].stop
    return context


def _attend_on_gpu(parts: list[Tensor], asked: Lengths, lengths: Lengths) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    query, key, value = parts
    of_queries, of_keys = (
        torch.from_numpy(np.cumsum(np.append(0, counts)).astype(np.int32)).to(query.device)
        for counts in (asked, lengths)
    )
    longest = int(asked.max()), int(lengths.max())
    return cast(Tensor, varlen_attn(query, key, value, of_queries, of_keys, *longest))
