"""Sequences become tokens, tokens become a Batch: everything the model sees is a readable token.

The tokenizer is fitted once on a log and saved beside the weights as ``vocab.json`` (token -> id),
``fields.json`` (how columns become tokens) and, when the log has free text, ``text.json``.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import tokenizers

from core import subwords
from core.batch import CLS, Batch
from core.errors import BadInput
from core.fields import OTHER, Field, Ids, fields_of, fit, relative_ids
from core.logs.mapping import Mapping
from core.schema import Column
from core.wording import percent

SPECIAL: Final = ("[PAD]", "[MASK]", "[CLS]")
KNOWN_SHARE: Final = 0.8  # below this a model does not score a log


class Tokenizer:
    """Turns events and sequences into a `Batch`, and ids back into words."""

    def __init__(self, fields: Sequence[Field], text: tokenizers.Tokenizer | None = None) -> None:
        self.fields = list(fields)
        self.text = text
        self.tokens = list(SPECIAL)
        self.starts = []  # first id of each field, in the order of `fields`
        for field in self.fields:
            self.starts.append(len(self.tokens))
            self.tokens += field.tokens()
        self.ends = [*self.starts[1:], len(self.tokens)]
        if len(set(self.tokens)) < len(self.tokens):
            (twice, _), *_ = Counter(self.tokens).most_common(1)
            raise BadInput(
                f"Two columns or values of the log are both called '{twice}': a model could not "
                "tell them apart. Rename one of the columns, or leave it out."
            )

    @classmethod
    def fit(
        cls,
        mapping: Mapping,
        actions: Sequence[str],
        partitions: Iterable[pd.DataFrame],
        sequences: pd.DataFrame,
    ) -> "Tokenizer":
        """Learn the tokens of a log from its events (frame by frame) and its sequences."""
        fields = fields_of(mapping, actions)
        columns = list({field.column for field in fields if field.level == "event"})
        sample = pd.concat([frame[columns].sort_index() for frame in partitions])
        fitted = []
        text_columns = [sample[field.column] for field in fields if field.kind == "text"]
        text = subwords.train(pd.concat(text_columns)) if text_columns else None
        for field in fields:
            if field.kind == "text" and text is not None:
                fitted.append(Field(**{**asdict(field), "values": subwords.vocabulary_of(text)}))
            else:
                source = sample if field.level == "event" else sequences
                fitted.append(fit(field, source[field.column]))
        return cls(fitted, text)

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def digest(self) -> str:
        """Fingerprint of the vocabulary; a model refuses to load with another one."""
        return hashlib.sha256("\n".join(self.tokens).encode()).hexdigest()[:16]

    def encode(self, events: pd.DataFrame, sequences: pd.DataFrame) -> Batch:
        """Return the tokens of `sequences`, whose events stand in `events` in the same order."""
        counts = sequences[Column.EVENTS].to_numpy()
        if counts.sum() != len(events):
            raise BadInput(
                f"The sequences tell of {counts.sum()} events, {len(events)} were given: "
                "the data set has grown meanwhile (start again) or is damaged (import it again)."
            )
        sequence = np.repeat(np.arange(len(sequences), dtype=np.int32), counts)
        grids = {
            "profile": self._grid("profile", sequences, np.arange(len(sequences), dtype=np.int32)),
            "event": self._grid("event", events, sequence),
        }
        return _assemble(grids["profile"], grids["event"], counts)

    def encode_profiles(self, sequences: pd.DataFrame) -> Ids:
        """Return the tokens of the profiles of `sequences` alone, (N, P)."""
        return self._grid("profile", sequences, np.arange(len(sequences), dtype=np.int32))[0]

    def sentence(self, token_id: int, field: int) -> str:
        """Say a token in plain words."""
        return self.fields[field - 1].sentence(self.tokens[token_id])

    def known_share(self, mapping: Mapping, actions: Sequence[str], events: pd.DataFrame) -> float:
        """Return the share of a log's event tokens that this tokenizer has learned.

        A column the tokenizer has never seen, a column it expects and the log lacks, and a
        category folded to `other` are unknown.
        """
        theirs = {(f.name, f.kind) for f in fields_of(mapping, actions) if f.level == "event"}
        ours = [f for f in self.fields if f.level == "event"]
        total = len(theirs | {(f.name, f.kind) for f in ours})
        known = 0.0
        for field in ours:
            if (field.name, field.kind) not in theirs:
                continue
            if field.kind == "category" and len(events):
                known += float((field.encode(events[field.column]) != OTHER).mean())
            else:
                known += 1.0
        return known / total

    def save(self, folder: Path) -> None:
        """Write ``vocab.json``, ``fields.json`` and, with free text, ``text.json``."""
        vocabulary = {token: number for number, token in enumerate(self.tokens)}
        (folder / "vocab.json").write_text(json.dumps(vocabulary, indent=0, ensure_ascii=False))
        described = [asdict(field) for field in self.fields]
        (folder / "fields.json").write_text(json.dumps(described, indent=1, ensure_ascii=False))
        if self.text is not None:
            self.text.save(str(folder / "text.json"))

    @classmethod
    def load(cls, folder: Path) -> "Tokenizer":
        """Read what `save` wrote.

        Raises
        ------
        BadInput
            If a file is missing or damaged, or vocabulary and fields do not belong together.
        """
        try:
            described = json.loads((folder / "fields.json").read_text())
            vocabulary = json.loads((folder / "vocab.json").read_text())
            text_file = folder / "text.json"
            text = subwords.read(text_file) if text_file.exists() else None
            fields = [_field_from_json(one) for one in described]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise BadInput(f"The tokenizer in {folder} cannot be read: {error}.") from error
        if (text is None) == any(field.kind == "text" for field in fields):
            raise BadInput(f"fields.json and text.json in {folder} do not belong together.")
        tokenizer = cls(fields, text)
        if list(vocabulary) != tokenizer.tokens:
            raise BadInput(f"vocab.json and fields.json in {folder} do not belong together.")
        return tokenizer

    def _grid(self, level: str, frame: pd.DataFrame, sequence: Ids) -> tuple[Ids, Ids]:
        """Return ids and fields of the tokens of every row, (rows, width); id -1 is no token."""
        chosen = [(n, field) for n, field in enumerate(self.fields, 1) if field.level == level]
        there = {f.column for _, f in chosen if f.is_number and f.column in frame}
        # Taken from the frame together: one by one takes longer than all the rest.
        values = frame[list(there)].to_numpy(dtype=np.float64, na_value=np.nan)
        columns = dict(zip(there, np.ascontiguousarray(values.T), strict=True))
        ids, numbers = [], []
        for number, field in chosen:
            if field.is_number and field.column in columns:
                within = field.bins(columns[field.column])[:, None]
            else:
                within = self._within(field, frame, sequence)
            ids.append(np.where(within < 0, -1, within + self.starts[number - 1]))
            numbers += [number] * within.shape[1]
        if not ids:
            return np.empty((len(frame), 0), np.int32), np.empty(0, np.int32)
        return np.concatenate(ids, axis=1), np.asarray(numbers, dtype=np.int32)

    def _within(self, field: Field, frame: pd.DataFrame, sequence: Ids) -> Ids:
        """Return ids within the field, (rows, tokens per row)."""
        if field.column not in frame:
            return np.zeros((len(frame), 1), np.int32)
        column = frame[field.column]
        if field.kind == "relative":
            return relative_ids(sequence, column)[:, None]
        if field.kind == "text" and self.text is not None:
            return subwords.encode(self.text, column)
        return field.encode(column)[:, None]


def check_known(
    tokenizer: Tokenizer, mapping: Mapping, names: list[str], events: pd.DataFrame, model_id: str
) -> None:
    """Refuse a log that the model would not understand.

    Raises
    ------
    BadInput
        If the tokenizer knows less than 80 % of the log's tokens.
    """
    share = tokenizer.known_share(mapping, names, events)
    if share < KNOWN_SHARE:
        raise BadInput(
            f"The model '{model_id}' knows only {percent(share)} of this log's tokens, at least "
            f"{percent(KNOWN_SHARE)} are needed. Train a model on this log: without verdicts or "
            "labels that pre-trains one, whose scores say how unusual a sequence is."
        )


def _assemble(
    profile: tuple[Ids, Ids], event: tuple[Ids, Ids], counts: npt.NDArray[np.int64]
) -> Batch:
    """Interleave profile rows and event rows into sequences."""
    profile_ids, profile_field = profile
    event_ids, event_field = event
    opening = np.full((len(counts), 1), CLS, dtype=np.int32)
    profile_ids = np.concatenate([opening, profile_ids], axis=1)
    profile_field = np.concatenate([[0], profile_field])
    before = np.cumsum(counts) - counts  # events in front of each sequence
    position = np.arange(len(event_ids)) - np.repeat(before, counts) + 1

    widths = profile_ids.shape[1], event_ids.shape[1]
    sizes = np.column_stack([np.full(len(counts), widths[0]), counts * widths[1]])
    of_profile = np.repeat(np.tile([True, False], len(counts)), sizes.ravel())
    ids = np.empty(len(of_profile), np.int32)
    field, place = np.zeros((2, len(of_profile)), np.int16)
    ids[of_profile], ids[~of_profile] = profile_ids.ravel(), event_ids.ravel()
    field[of_profile] = np.tile(profile_field, len(profile_ids))
    field[~of_profile] = np.tile(event_field, len(event_ids))
    place[~of_profile] = np.repeat(position, widths[1])
    there = ids >= 0
    size = sizes.sum(axis=1)
    lengths = np.add.reduceat(there, np.cumsum(size) - size, dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Batch(ids[there], field[there], place[there], offsets)


def _field_from_json(described: dict[str, Any]) -> Field:
    lists = {name: tuple(described[name]) for name in ("values", "edges")}
    return Field(**{**described, **lists})
