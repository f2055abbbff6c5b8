"""Names in plain words: of facts, for pictures of many tokens together, and of methods."""

import re
from collections.abc import Mapping as Words
from collections.abc import Sequence
from typing import Final

from core.fields import fields_of
from core.logs.mapping import Mapping

METHOD_WORDS: Final = {  # of `core.explain.methods`, in the order of their colours
    "shap": "SHAP values",
    "integrated_gradients": "Integrated gradients",
    "occlusion": "Occlusion",
    "lime": "LIME",
    "attention_rollout": "Attention roll-out",
    "random": "A random order",
}


def fact_of(token: str) -> str:
    """Return the name of the field a token belongs to: ``gap`` of ``gap~2s-5s``.

    Names of fields are snake case, so the first other sign ends them.
    """
    return re.split(r"[=~<>:]", token, maxsplit=1)[0]


def fact_words(mapping: Mapping, actions: Sequence[str]) -> dict[str, str]:
    """Return what each fact of a log is about: "… since the previous event"."""
    return {
        field.name: field.words.replace("{value}", "…") for field in fields_of(mapping, actions)
    }


def in_words(token: str, words: Words[str, str]) -> str:
    """Return what the fact of a token is about; its name where the log's mapping has changed."""
    name = fact_of(token)
    return words.get(name, re.sub(r"[_.]+", " ", name))
