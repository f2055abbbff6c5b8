"""Labelled units: what a label is about, and on which side of a split it stands.

A label belongs to an actor, a session or a sequence; all of them are bags of sequences here. Most
sequences of a bad actor are innocent, so a bag is scored by the maximum over its sequences
(multiple-instance learning; Andrews et al., NeurIPS 2002).
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import BadInput
from core.schema import Column

MIN_LABELS = 5  # of each class
UNIT_COLUMN = {"actor": Column.ACTOR, "session": Column.SESSION, "sequence": Column.SEQUENCE}


@dataclass(frozen=True)
class Bags:
    """Labelled bags of sequences; bag `i` holds ``rows[offsets[i]:offsets[i + 1]]``."""

    rows: npt.NDArray[np.int64]  # row numbers of the sequences frame
    offsets: npt.NDArray[np.int64]  # (B + 1,)
    label: npt.NDArray[np.int64]  # (B,), 0 or 1
    split: npt.NDArray[np.object_]  # (B,), train | validation | test
    unit: str  # actor | session | sequence

    def __len__(self) -> int:
        return len(self.label)

    def of(self, split: str) -> "Bags":
        """Return the bags of one split."""
        return self.take(np.flatnonzero(self.split == split))

    def take(self, index: npt.NDArray[np.int64]) -> "Bags":
        """Return the bags `index`, in that order."""
        parts = [self.rows[self.offsets[i] : self.offsets[i + 1]] for i in index]
        rows = np.concatenate(parts) if parts else np.empty(0, np.int64)
        offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
        return Bags(rows, offsets, self.label[index], self.split[index], self.unit)

    def maximum(self, score: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return each bag's highest score; `score` is in the order of `rows`, (B,)."""
        return np.maximum.reduceat(score, self.offsets[:-1]) if len(self) else score[:0]


def bags_of(sequences: pd.DataFrame, labels: pd.DataFrame, verdicts: pd.DataFrame) -> Bags | None:
    """Join outside labels and verdicts to their sequences; None where there are neither.

    A verdict of abuse covers the sequences it names, a legitimate one the whole actor; `unclear`
    never trains. A verdict outweighs an outside label on the same sequences.

    Raises
    ------
    BadInput
        If a class has fewer than `MIN_LABELS`.
    """
    found = _of_verdicts(sequences, verdicts)
    covered = {row for bag in found for row in bag[0]}
    unit = "actor"
    if len(labels):
        unit = labels["unit"].mode().iloc[0]
        outside = _of_labels(sequences, labels)
        found += [bag for bag in outside if not covered.intersection(bag[0])]
    if not found:
        return None
    label = np.array([bag[1] for bag in found])
    for value, name in ((1, "abuse"), (0, "legitimate")):
        if (label == value).sum() < MIN_LABELS:
            raise BadInput(
                f"{(label == value).sum()} verdicts or labels say {name}; at least {MIN_LABELS} of "
                "each class are needed to train. Review more cases or attach more labels."
            )
    given = [bag[2] for bag in found]
    actors = sequences[Column.ACTOR].to_numpy()
    first_actor = [actors[bag[0][0]] for bag in found]
    split = _splits(first_actor, given, label)
    offsets = np.concatenate([[0], np.cumsum([len(bag[0]) for bag in found])]).astype(np.int64)
    return Bags(np.concatenate([bag[0] for bag in found]), offsets, label, split, unit)


_Found = tuple[npt.NDArray[np.int64], int, str | None]


def _of_labels(sequences: pd.DataFrame, labels: pd.DataFrame) -> list[_Found]:
    found: list[_Found] = []
    for unit, part in labels.groupby("unit"):
        rows_of: dict[Any, Any] = dict(sequences.groupby(UNIT_COLUMN[str(unit)]).indices)
        for key, label, split in zip(part["key"], part["label"], part["split"], strict=True):
            if key in rows_of:
                given = split if isinstance(split, str) else None
                found.append((rows_of[key], int(label), given))
    return found


def _of_verdicts(sequences: pd.DataFrame, verdicts: pd.DataFrame) -> list[_Found]:
    row_of = {key: row for row, key in enumerate(sequences[Column.SEQUENCE])}
    of_actor: dict[Any, Any] = dict(sequences.groupby(Column.ACTOR).indices)
    found: list[_Found] = []
    columns = (verdicts[name] for name in ("decision", "sequences", "actor_id"))
    for decision, covered, actor in zip(*columns, strict=True):
        if decision == "confirmed":
            rows = sorted(row_of[key] for key in covered if key in row_of)
            if rows:
                found.append((np.array(rows), 1, None))
        elif decision == "legitimate" and actor in of_actor:
            found.append((np.asarray(of_actor[actor]), 0, None))
    return found


def _splits(
    actors: list[str], given: list[str | None], label: npt.NDArray[np.int64]
) -> npt.NDArray[np.object_]:
    """Assign 70 / 15 / 15 by hash of the actor; where a split is given, it holds.

    With few labels the hash can leave a side without one of the classes: then each class is dealt
    out in the order of the hash, so that every side has both.
    """
    share = np.array([_hash_share(actor) for actor in actors])
    split = np.select([share < 0.7, share < 0.85], ["train", "validation"], "test").astype(object)
    if not any(given):
        sides = [set(label[split == side]) for side in ("train", "validation", "test")]
        return split if all(len(side) == 2 for side in sides) else _dealt(share, label)
    fixed = np.array([value or "" for value in given], dtype=object)
    # Validation is a part of the given training rows, unless it is given as well.
    inner = np.where(share < 0.85, "train", "validation").astype(object)
    split = np.where(fixed == "train", inner, fixed)
    if "validation" in fixed:
        split = fixed
    return np.where(fixed == "", "unused", split).astype(object)


def _dealt(share: npt.NDArray[np.float64], label: npt.NDArray[np.int64]) -> npt.NDArray[np.object_]:
    split = np.full(len(share), "train", dtype=object)
    for value in (0, 1):
        rows = np.flatnonzero(label == value)
        rows = rows[np.argsort(share[rows])]
        part = max(1, round(0.15 * len(rows)))
        split[rows[:part]] = "test"
        split[rows[part : 2 * part]] = "validation"
    return split


def _hash_share(key: str) -> float:
    """Return a number in [0, 1) that depends on `key` only."""
    return int.from_bytes(hashlib.blake2b(str(key).encode(), digest_size=6).digest()) / 2**48
