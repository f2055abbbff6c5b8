"""Explanations of stored sequences: computed once per model, then kept."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from core.batch import Batch
from core.errors import NotFound
from core.explain.reasons import Reason, reasons
from core.explain.shapley import Attribution, attribute
from core.logs.frames import actions, read_events, read_mapping, read_sequences
from core.model.files import read_json
from core.schema import Column
from core.scoring.engine import Scorer
from core.store import cases, explanations
from core.store.home import Home
from core.tokens import Tokenizer, check_known

IN_ADVANCE = 10  # cases explained before anybody opens them


@dataclass(frozen=True)
class Token:
    """One token with its share of the score."""

    token: str
    value: float
    words: str


@dataclass(frozen=True)
class Part:
    """The profile or one event: its tokens and their sum."""

    value: float
    tokens: list[Token]


@dataclass(frozen=True)
class Explanation:
    """``base_value`` plus the values of profile and events is ``score``, within 1e-5."""

    score: float
    base_value: float
    profile: Part
    events: list[Part]
    reasons: list[Reason]

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries and lists, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> "Explanation":
        """Read what `to_dict` made."""
        return cls(
            value["score"],
            value["base_value"],
            _part(value["profile"]),
            [_part(part) for part in value["events"]],
            [Reason(**reason) for reason in value["reasons"]],
        )


def explain_sequence(home: Home, scorer: Scorer, dataset_id: str, sequence_id: str) -> Explanation:
    """Return why `scorer` gave this sequence its score, computing it the first time only.

    Raises
    ------
    NotFound
        If the data set has no such sequence.
    BadInput
        If the model knows too few of its tokens.
    """
    key = (scorer.model_id, dataset_id, sequence_id)
    with home.engine.connect() as con:
        stored = explanations.get(con, *key)
    if stored is not None:
        return Explanation.from_dict(stored)
    batch = _read(home, scorer, dataset_id, sequence_id)
    usual = np.asarray(read_json(home.model_dir(scorer.model_id) / "usual.json")["share"])
    explanation = describe(batch, attribute(scorer, batch), scorer.encoder.tokenizer, usual)
    with home.engine.begin() as con:
        explanations.put(con, *key, explanation.to_dict())
    return explanation


def explain_queue(
    home: Home, scorer: Scorer, dataset_id: str, *, progress: Callable[[float, str], None]
) -> None:
    """Explain the first cases of a queue in advance, so that they open at once."""
    with home.engine.connect() as con:
        first = cases.queue(con, dataset_id)["sequence_id"].head(IN_ADVANCE)
    for number, sequence_id in enumerate(first, start=1):
        explain_sequence(home, scorer, dataset_id, sequence_id)
        progress(number / len(first), f"explained {number} of {len(first)} cases")


def describe(
    batch: Batch, attribution: Attribution, tokenizer: Tokenizer, usual: Any
) -> Explanation:
    """Put an attribution into words."""
    sums = attribution.by_event(batch)
    parts: list[list[Token]] = [[] for _ in sums]
    for token, field, event, value in zip(
        batch.ids, batch.field, batch.event, attribution.values, strict=True
    ):
        if field > 0:
            words = tokenizer.sentence(int(token), int(field))
            parts[event].append(Token(tokenizer.tokens[token], float(value), words))
    profile, *events = [Part(float(total), part) for total, part in zip(sums, parts, strict=True)]
    why = reasons(batch, attribution.values, tokenizer, usual)
    return Explanation(attribution.score, attribution.base_value, profile, events, why)


def _read(home: Home, scorer: Scorer, dataset_id: str, sequence_id: str) -> Batch:
    sequences = read_sequences(home, dataset_id)
    one = sequences[sequences[Column.SEQUENCE] == sequence_id]
    if one.empty:
        raise NotFound(f"The data set '{dataset_id}' has no sequence '{sequence_id}'.")
    events = read_events(home, dataset_id, sequences=[sequence_id])
    mapping, names = read_mapping(home, dataset_id), actions(home, dataset_id)
    # Few events say nothing about shares: whether the columns are the model's does.
    check_known(scorer.encoder.tokenizer, mapping, names, events.iloc[:0], scorer.model_id)
    return scorer.encoder.tokenizer.encode(events, one)


def _part(value: dict[str, Any]) -> Part:
    return Part(value["value"], [Token(**token) for token in value["tokens"]])
