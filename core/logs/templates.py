"""Mappings kept under a name, found again for files with the same columns."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.errors import BadInput, Conflict
from core.logs.mapping import Mapping, parse_mapping
from core.store.home import writing

FOLDER: Final = "templates"  # inside the home
_LONGEST_NAME = 60
_NOT_IN_A_NAME = re.compile(r'[/\\:*?"<>|\x00-\x1f]')


@dataclass(frozen=True)
class Template:
    """A mapping that an analyst kept for the next file of its sort."""

    name: str
    mapping: Mapping

    @property
    def columns(self) -> set[str]:
        """The columns that a file must have."""
        return {*self.mapping.roles.taken(), *self.mapping.columns}


def read_templates(folder: Path) -> tuple[list[Template], list[str]]:
    """Return the templates in `folder` by name, and a note on each file that is none."""
    templates, notes = [], []
    for file in sorted(folder.glob("*.json")):
        try:
            templates.append(Template(file.stem, parse_mapping(file.read_text(encoding="utf-8"))))
        except (BadInput, OSError, UnicodeDecodeError) as error:
            notes.append(f"The template '{file.stem}' is left out. {error}")
    return templates, notes


def fitting(templates: Iterable[Template], columns: Iterable[str]) -> list[Template]:
    """Return the templates whose columns a file has all of, those with the most first."""
    there = set(columns)
    able = [one for one in templates if one.columns and one.columns <= there]
    return sorted(able, key=lambda one: (-len(one.columns), one.name))


def save_template(folder: Path, name: str, mapping: Mapping, *, replace: bool = False) -> Template:
    """Keep a mapping under a name.

    Parameters
    ----------
    replace
        Whether a template of this name may be replaced.

    Raises
    ------
    BadInput
        If the name cannot be that of a file.
    Conflict
        If the name is taken.
    """
    name = _checked(name)
    target = folder / f"{name}.json"
    if target.exists() and not replace:
        raise Conflict(
            f"There is a template '{name}' already. Choose another name, or replace it on purpose."
        )
    with writing(target) as file:
        file.write_text(mapping.model_dump_json(indent=2), encoding="utf-8")
    return Template(name, mapping)


def _checked(name: str) -> str:
    name = name.strip()
    if not name or name.startswith(".") or len(name) > _LONGEST_NAME or _NOT_IN_A_NAME.search(name):
        raise BadInput(
            f"'{name}' cannot name a template. Accepted: 1 to {_LONGEST_NAME} characters, no dot "
            'at the start and none of / \\ : * ? " < > |.'
        )
    return name
