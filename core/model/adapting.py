"""Which weights fine-tuning changes: all, low-rank additions, or the head alone."""

from typing import Final, Literal

from peft import LoraConfig
from peft.tuners.lora import LoraModel

from core.model.encoder import Encoder

Method = Literal["full", "lora", "head"]
HEAD: Final = ("classifier", "bert.pooler")  # pre-training has taught neither anything
RANK: Final = 8
RATE: Final[dict[Method, float]] = {"full": 1.0, "lora": 3.0, "head": 5.0}  # of the learning rate


def adapt(encoder: Encoder, method: Method) -> Encoder:
    """Return `encoder` with only the weights of `method` left to train.

    ``lora`` adds low-rank matrices to every linear layer of the body (Hu et al., ICLR 2022);
    `merge` makes it a stock model again.
    """
    if method == "full":
        return encoder
    for name, weight in encoder.bert.named_parameters():
        weight.requires_grad = name.startswith(HEAD)
    if method == "lora":
        config = LoraConfig(
            r=RANK, lora_alpha=2 * RANK, target_modules=["query", "key", "value", "dense"],
            exclude_modules=r".*pooler.*",
        )  # fmt: skip
        encoder.bert = LoraModel(encoder.bert, config, "default").model
        for name, weight in encoder.bert.named_parameters():
            weight.requires_grad = weight.requires_grad or name.startswith(HEAD)
    return encoder


def merge(encoder: Encoder) -> Encoder:
    """Return `encoder` as a stock model all of whose weights can be trained again."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, layer in list(encoder.bert.named_modules()):
        if isinstance(layer, BaseTunerLayer):
            layer.merge()
            encoder.bert.set_submodule(name, layer.get_base_layer())
    encoder.bert.requires_grad_(True)
    return encoder
