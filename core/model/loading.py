"""Reading a model directory: a stock checkpoint with the tokenizer it was trained with."""

from pathlib import Path
from typing import Any, cast

import transformers
from safetensors import SafetensorError
from transformers import PreTrainedModel

from core.errors import BadInput
from core.model.files import read_json
from core.tokens import Tokenizer

# A bar for one file of a few megabytes would land in the middle of the command line's output.
transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def read_parts(folder: Path) -> tuple[dict[str, Any], Tokenizer]:
    """Read a model's ``config.json`` and tokenizer, and refuse them if they are not of one model.

    Raises
    ------
    BadInput
        If a file is missing or damaged, or weights and vocabulary do not belong together.
    """
    config = read_json(folder / "config.json")
    tokenizer = Tokenizer.load(folder)
    if config.get("vocabulary_digest") != tokenizer.digest:
        raise BadInput(f"The weights in {folder} were made with another vocabulary.")
    if not {"layout", "max_events"} <= set(config):
        raise BadInput(f"{folder} is not a model of Spoor: its config.json names no layout.")
    return config, tokenizer


def read_weights(kind: Any, folder: Path) -> PreTrainedModel:
    """Read the weights in `folder` as a stock model of `kind`.

    Raises
    ------
    BadInput
        If they are missing, damaged or not complete.
    """
    try:
        model, loading = kind.from_pretrained(
            folder, local_files_only=True, output_loading_info=True
        )
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        raise BadInput(f"The model in {folder} cannot be loaded: {error}.") from error
    if loading["missing_keys"]:
        # Hugging Face would draw them at random, with a warning.
        raise BadInput(f"The weights in {folder} lack {min(loading['missing_keys'])}.")
    return cast(PreTrainedModel, model)
