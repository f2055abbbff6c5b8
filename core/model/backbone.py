"""The back-bones a model can stand on, by name."""

from pathlib import Path
from typing import Final

from core.errors import BadInput
from core.logs.facts import event_facts
from core.logs.mapping import Mapping
from core.model.encoder import Encoder, Layout, Size
from core.model.files import read_json
from core.model.text import LAYOUT, TextEncoder
from core.tokens import Tokenizer

DEFAULT: Final = "behaviour-small"
TEXT: Final = "text:"  # followed by the directory or the name of a checkpoint
SIZES: Final = {
    "behaviour-small": Size(),
    "behaviour-base": Size(layers=6, width=512, heads=8),  # 19 million parameters: for a GPU
}
SAID_FACTS: Final = ("gap",)  # of the facts about single events, what a text says


def check_backbone(name: str) -> None:
    """Raise `BadInput` if there is no such back-bone."""
    if name not in SIZES and not (name.startswith(TEXT) and name != TEXT):
        raise BadInput(
            f"There is no back-bone '{name}'. Back-bones: {', '.join(SIZES)}, text:DIRECTORY and "
            "text:NAME (a checkpoint on the Hugging Face hub)."
        )


def create_encoder(
    name: str, tokenizer: Tokenizer, mapping: Mapping, *, layout: Layout, size: Size, seed: int
) -> Encoder:
    """Return a new encoder of the back-bone `name` for a log.

    Raises
    ------
    BadInput
        If there is no such back-bone, or its checkpoint cannot be reached.
    """
    check_backbone(name)
    max_events = mapping.sequence.max_events
    if not name.startswith(TEXT):
        return Encoder.create(tokenizer, layout=layout, max_events=max_events, size=size, seed=seed)
    unsaid = {fact.name for fact in event_facts(mapping)} - set(SAID_FACTS)
    said = [
        field.name
        for field in tokenizer.fields
        if field.level == "profile" or field.name.removeprefix("event.") not in unsaid
    ]
    checkpoint = name.removeprefix(TEXT)
    return TextEncoder.of_checkpoint(
        checkpoint, tokenizer, said=said, max_events=max_events, seed=seed
    )


def load_encoder(folder: Path) -> Encoder:
    """Read the encoder in a model directory, whichever its back-bone is.

    Raises
    ------
    BadInput
        If a file is missing or damaged, or the parts do not belong together.
    """
    kind = TextEncoder if read_json(folder / "config.json").get("layout") == LAYOUT else Encoder
    return kind.load(folder)
