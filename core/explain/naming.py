"""Names in plain words: of facts, for pictures of many tokens together, of events, of methods."""

import re
from collections import Counter
from collections.abc import Mapping as Words
from collections.abc import Sequence
from typing import Final

import pandas as pd

from core.fields import fields_of
from core.logs.mapping import Mapping
from core.schema import Column
from core.wording import counted, duration

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


def events_in_words(events: pd.DataFrame, one: str, several: str) -> str:
    """Say which events are meant: these 3 orders in 40 s; these 4 events (3 orders, 1 view)."""
    counts = Counter(events[Column.ACTION].astype(str))
    plain = all(re.fullmatch(r"[A-Za-z]+", action) for action in counts)
    if len(events) == 1:
        action = next(iter(counts))
        return f"{one} {action}" if plain else f"{one} event ({action})"
    if plain and len(counts) == 1:
        ((action, number),) = counts.items()
        said = f"{several} {counted(number, action)}"
    else:
        named = [
            counted(number, action) if plain else f"{number} × {action}"
            for action, number in counts.most_common(3)
        ]
        rest = len(events) - sum(number for _, number in counts.most_common(3))
        more = [counted(rest, "other")] if rest else []
        said = f"{several} {len(events)} events ({', '.join([*named, *more])})"
    times = events[Column.TIME]
    if times.notna().all():
        said += f" in {duration((times.max() - times.min()).total_seconds())}"
    return said
