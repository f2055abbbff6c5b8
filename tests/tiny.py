"""Settings of a training that takes seconds."""

from core.govern.config import TrainConfig
from core.model.encoder import Size
from core.model.finetune import FinetuneConfig
from core.model.pretrain import PretrainConfig

TINY = TrainConfig(
    size=Size(layers=1, width=16, heads=2),
    pretrain=PretrainConfig(epochs=1),
    finetune=FinetuneConfig(epochs=1),
)
