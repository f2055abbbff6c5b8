"""Which weights fine-tuning changes: all, low-rank additions, or the head alone."""

from typing import Final, Literal

from peft import LoraConfig
from peft.tuners.lora import LoraModel
from torch import nn
from transformers import PreTrainedModel

from core.model.encoder import Encoder

Method = Literal["full", "lora", "head"]
RANK: Final = 8
RATE: Final[dict[Method, float]] = {"full": 1.0, "lora": 3.0, "head": 5.0}  # of the learning rate


def adapt(encoder: Encoder, method: Method) -> Encoder:
    """Return `encoder` with only the weights of `method` left to train.

    ``lora`` adds low-rank matrices to every linear layer of the body (Hu et al., ICLR 2022);
    `merge` makes it a stock model again.
    """
    if method == "full":
        return encoder
    bert = encoder.bert
    for name, weight in bert.named_parameters():
        weight.requires_grad = _in_head(bert, name)
    if method == "lora":
        body = [
            name
            for name, layer in bert.named_modules()
            if isinstance(layer, nn.Linear) and not _in_head(bert, name)
        ]
        config = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=body)
        bert = encoder.bert = LoraModel(bert, config, "default").model
        for name, weight in bert.named_parameters():
            weight.requires_grad = weight.requires_grad or _in_head(bert, name)
    return encoder


def _in_head(bert: PreTrainedModel, name: str) -> bool:
    """Whether a part lies behind the body, or in its pooler, which pre-training teaches nothing."""
    return not name.startswith(f"{bert.base_model_prefix}.") or ".pooler." in name


def merge(encoder: Encoder) -> Encoder:
    """Return `encoder` as a stock model all of whose weights can be trained again."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, layer in list(encoder.bert.named_modules()):
        if isinstance(layer, BaseTunerLayer):
            layer.merge()
            encoder.bert.set_submodule(name, layer.get_base_layer())
    encoder.bert.requires_grad_(True)
    return encoder
