"""The small JSON files beside the weights."""

import json
from pathlib import Path
from typing import Any

from core.errors import BadInput


def read_json(file: Path) -> dict[str, Any]:
    """Read one of a model's files; `BadInput` says which is missing or damaged."""
    try:
        return dict(json.loads(file.read_text()))
    except FileNotFoundError as error:
        raise BadInput(f"{file.parent} is not a model: {file.name} is missing.") from error
    except (OSError, ValueError) as error:
        raise BadInput(f"{file} is damaged: {error}.") from error


def write_json(file: Path, value: dict[str, Any]) -> None:
    """Write one of a model's files."""
    file.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
