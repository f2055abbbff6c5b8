"""The settings of a training."""

from dataclasses import dataclass, field, replace
from typing import Any, Final

from core.errors import BadInput
from core.govern.log import SplitBy
from core.model.adapting import Method
from core.model.backbone import DEFAULT, SIZES, check_backbone
from core.model.encoder import Layout, Size
from core.model.files import read_json
from core.model.finetune import FinetuneConfig
from core.model.pretrain import PretrainConfig
from core.seeds import check_seed
from core.store import models
from core.store.home import Home

# What fine-tuning a checkpoint of natural language takes (Devlin et al. 2019, appendix A.3).
TEXT_FINETUNE: Final[dict[str, Any]] = {
    "learning_rate": 5e-5, "patience": 2, "batch_size": 16, "max_bag": 6,
}  # fmt: skip
TEXT_EPOCHS = 4


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a training; saved beside the weights."""

    layout: Layout = "summed"
    size: Size = field(default_factory=Size)
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    seed: int = 0
    split_by: SplitBy = "actor"
    backbone: str = DEFAULT
    adversarial: bool = False  # also fine-tune on perturbed copies of the training units

    @classmethod
    def of(
        cls,
        *,
        seed: int = 0,
        epochs: int | None = None,
        layout: Layout = "summed",
        split_by: SplitBy = "actor",
        backbone: str = DEFAULT,
        method: Method = "full",
        adversarial: bool = False,
    ) -> "TrainConfig":
        """Return the defaults with what a user may set; `epochs` holds for each phase.

        Raises
        ------
        BadInput
            If `epochs` is not positive, or there is no such back-bone or seed.
        """
        check_seed(seed)
        config = cls(
            layout=layout,
            seed=seed,
            split_by=split_by,
            finetune=FinetuneConfig(method=method),
            adversarial=adversarial,
        )._on(backbone)
        if epochs is None:
            return config
        if epochs < 1:
            raise BadInput(f"Training takes at least one epoch; {epochs} were asked for.")
        phases = replace(config.pretrain, epochs=epochs), replace(config.finetune, epochs=epochs)
        return replace(config, pretrain=phases[0], finetune=phases[1])

    def _on(self, backbone: str) -> "TrainConfig":
        """Return the settings for a back-bone; a checkpoint knows its language already."""
        check_backbone(backbone)
        config = replace(self, backbone=backbone)
        if backbone in SIZES:
            return replace(config, size=SIZES[backbone])
        epochs = min(self.finetune.epochs or TEXT_EPOCHS, TEXT_EPOCHS)
        return replace(config, finetune=replace(self.finetune, epochs=epochs, **TEXT_FINETUNE))

    def going_on_from(self, home: Home, parent_id: str, dataset_id: str) -> "TrainConfig":
        """Return the settings with the back-bone of the model that training goes on from.

        On the same data set units are split as that model's were: what taught it tests nobody.

        Raises
        ------
        BadInput
            If another back-bone was asked for, or another split of the same data set.
        """
        told = read_json(home.model_dir(parent_id) / "training.json")
        backbone = str(told.get("backbone", DEFAULT))
        if self.backbone not in (DEFAULT, backbone):
            raise BadInput(
                f"'{parent_id}' stands on the back-bone '{backbone}'; training goes on with that "
                f"one. For '{self.backbone}', train from scratch."
            )
        config = self._split_like(home, parent_id, dataset_id)
        if backbone in SIZES:
            return replace(config, backbone=backbone, size=Size(**told.get("size", {})))
        return config._on(backbone) if self.backbone == DEFAULT else config

    def _split_like(self, home: Home, parent_id: str, dataset_id: str) -> "TrainConfig":
        """Return the settings with the split of the last ancestor that learned from a data set."""
        following: str | None = parent_id
        while following is not None:
            told = read_json(home.model_dir(following) / "training.json")
            if told["dataset"] == dataset_id:
                break
            with home.engine.connect() as con:
                following = models.get(con, following).parent_id
        else:
            return self
        split_by = told.get("split_by", "actor")
        if self.split_by not in ("actor", split_by):
            raise BadInput(
                f"'{following}' was trained on this data set split by {split_by}: split by "
                f"{self.split_by}, a part of what taught it would test it. Train from scratch."
            )
        return replace(self, split_by=split_by)
