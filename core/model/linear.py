"""Linear layers of a model that only answers: on a CPU by oneDNN.

PyTorch gives matrix products of float32 to MKL, which needs half as long again as oneDNN where it
was measured (AMD EPYC, AVX-512). That is a part of PyTorch, for what its compiler makes, and
applies GELU to a product that is still in the processor's cache.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu
from transformers.activations import GELUActivation

_ONEDNN: Any = (
    getattr(torch.ops.mkldnn, "_linear_pointwise", None) if torch._C._has_mkldnn else None
)


def linear(layer: nn.Module, states: Tensor, activation: nn.Module | None = None) -> Tensor:
    """Return ``activation(layer(states))``, or the layer's output without one."""
    if not _suits_onednn(layer, states):
        found = layer(states)
    elif isinstance(activation, GELUActivation) and activation.act is gelu:
        return cast(Tensor, _ONEDNN(states, layer.weight, layer.bias, "gelu", [], "none"))
    else:
        found = _ONEDNN(states, layer.weight, layer.bias, "none", [], "")
    return cast(Tensor, found if activation is None else activation(found))


def _suits_onednn(layer: nn.Module, states: Tensor) -> bool:
    """Tell what it computes: it has no gradients, and knows nothing of additions to a layer."""
    plain = type(layer) is nn.Linear and states.dtype == layer.weight.dtype == torch.float32
    return (
        _ONEDNN is not None
        and plain
        and states.device.type == "cpu"
        and not (torch.is_grad_enabled())
    )
