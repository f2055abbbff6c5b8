"""Labelled units: what a label is about, and on which side of a split it stands.

A label belongs to an actor, a session or a sequence; all of them are bags of sequences here. Most
sequences of a bad actor are innocent, so a bag is scored by the maximum over its sequences
(multiple-instance learning; Andrews et al., NeurIPS 2002).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import BadInput
from core.model.splits import assign
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

    def check_trainable(self) -> None:
        """Raise `BadInput` unless there is enough of both classes to train and to validate on."""
        for value, name in ((1, "abuse"), (0, "legitimate")):
            count = int((self.label == value).sum())
            if count < MIN_LABELS:
                raise BadInput(
                    f"{count} verdicts or labels say {name}; at least {MIN_LABELS} of each class "
                    "are needed to train. Review more cases or attach more labels."
                )
        for side in ("train", "validation"):
            if not self.has_both(side):
                raise BadInput(
                    f"The split leaves only one class, or nothing, for {side}: "
                    "give it train rows of both classes."
                )

    def has_both(self, split: str) -> bool:
        """Say whether a side of the split holds both classes."""
        return set(self.label[self.split == split]) == {0, 1}

    def maximum(self, score: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return each bag's highest score; `score` is in the order of `rows`, (B,)."""
        return np.maximum.reduceat(score, self.offsets[:-1]) if len(self) else score[:0]


def bags_of(sequences: pd.DataFrame, labels: pd.DataFrame, verdicts: pd.DataFrame) -> Bags | None:
    """Join outside labels and verdicts to their sequences; None where there are neither.

    A verdict of abuse covers the sequences it names, a legitimate one the whole actor; `unclear`
    never trains. A verdict outweighs an outside label on the same sequences, and stands on the side
    of the split where the actor's label stands.
    """
    decided = _of_verdicts(sequences, verdicts)
    outside = _of_labels(sequences, labels)
    covered = {row for bag in decided for row in bag[0]}
    found = decided + [bag for bag in outside if not covered.intersection(bag[0])]
    if not found:
        return None
    actors = sequences[Column.ACTOR].to_numpy()
    given = {actors[rows[0]]: split for rows, _, split in outside if split is not None}
    rows, label = [bag[0] for bag in found], np.array([bag[1] for bag in found])
    split = assign([actors[part[0]] for part in rows], label, given)
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in rows])]).astype(np.int64)
    unit = str(labels["unit"].mode().iloc[0]) if len(labels) else "actor"
    return Bags(np.concatenate(rows), offsets, label, split, unit)


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
