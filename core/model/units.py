"""Labelled units: what a label is about, and on which side of a split it stands.

A label belongs to an actor, a session or a sequence; all of them are bags of sequences here. Most
sequences of a bad actor are innocent, so a bag is scored by the maximum over its sequences
(multiple-instance learning; Andrews et al., NeurIPS 2002).
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.batch import Batch
from core.errors import BadInput
from core.model.duplicates import Hashes, of_owners
from core.model.splits import assign, has_both, set_repeats_aside
from core.schema import OTHER_SCHEME, Column

MIN_LABELS = 5  # of each class
UNIT_COLUMN = {"actor": Column.ACTOR, "session": Column.SESSION, "sequence": Column.SEQUENCE}


@dataclass(frozen=True)
class Bags:
    """Labelled bags of sequences; bag `i` holds ``rows[offsets[i]:offsets[i + 1]]``."""

    rows: npt.NDArray[np.int64]  # row numbers of the sequences frame
    offsets: npt.NDArray[np.int64]  # (B + 1,)
    label: npt.NDArray[np.int64]  # (B,), 0 or 1
    split: npt.NDArray[np.object_]  # (B,), train | validation | test, or repeat: judges nothing
    scheme: npt.NDArray[np.object_]  # (B,), what kind of abuse it is; None where nobody said
    unit: str  # actor | session | sequence
    contradicted: int = 0  # labels left out, for one that outweighs them says the opposite

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
        return replace(
            self,
            rows=rows,
            offsets=offsets,
            label=self.label[index],
            split=self.split[index],
            scheme=self.scheme[index],
        )

    @property
    def first(self) -> npt.NDArray[np.int64]:
        """Row of each bag's first sequence, (B,)."""
        return self.rows[self.offsets[:-1]]

    def content(self, of_sequences: Hashes) -> Hashes:
        """Return a hash of each bag's sequences, (B,); `of_sequences` has one per row, (S,)."""
        owner = np.repeat(np.arange(len(self)), np.diff(self.offsets))
        return of_owners(of_sequences[self.rows], owner, len(self))

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
        return has_both(self.label[self.split == split])

    def maximum(self, score: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return each bag's highest score; `score` is in the order of `rows`, (B,)."""
        return np.maximum.reduceat(score, self.offsets[:-1]) if len(self) else score[:0]

    def highest(self, score: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
        """Return where in `rows` each bag's highest score is, (B,); of equal ones the first."""
        owner = np.repeat(np.arange(len(self)), np.diff(self.offsets))
        order = np.lexsort([-score, owner])
        return np.asarray(order[self.offsets[:-1]], dtype=np.int64)


def count_schemes(bags: Bags) -> dict[str, int]:
    """Return how many units that train name each scheme."""
    train = bags.of("train")
    names = train.scheme[train.label == 1]
    return dict(sorted(Counter(str(name) for name in names if name is not None).items()))


def told_apart(bags: Bags) -> list[str]:
    """Return the schemes with enough labels to be learned; none unless there are two kinds."""
    counts = count_schemes(bags)
    enough = [name for name in counts if counts[name] >= MIN_LABELS and name != OTHER_SCHEME]
    rest = sum(number for name, number in counts.items() if name not in enough)
    return enough if len(enough) + (rest >= MIN_LABELS) > 1 else []


def check_distinct(batch: Batch, bags: Bags) -> None:
    """Raise `BadInput` if all labelled sequences look the same to a model."""
    part = batch.take(bags.rows)
    width = part.tokens[0]
    if (part.tokens == width).all() and (part.ids.reshape(-1, width) == part.ids[:width]).all():
        raise BadInput(
            f"All {len(part)} labelled sequences look the same, so nothing tells abuse from "
            "legitimate. Map more columns of the log, or label other cases."
        )


def bags_of(
    sequences: pd.DataFrame,
    labels: pd.DataFrame,
    verdicts: pd.DataFrame,
    *,
    content: Hashes | None = None,
    by_time: bool = False,
) -> Bags | None:
    """Join outside labels and verdicts to their sequences; None where there are neither.

    A verdict of abuse covers the sequences it names, a legitimate one the whole actor; `unclear`
    never trains. Where several speak of the same sequence, a verdict outweighs an outside label, a
    newer verdict an older one, and a label on less (a sequence) one on more (its actor).

    Parameters
    ----------
    content
        Hash of what happens in each sequence, (S,): units of the same content stand on one side of
        the split, unless it is given. Where that leaves a side without a class, they do not.
    by_time
        Whether the actors seen last test, instead of a random part.

    Raises
    ------
    BadInput
        If a split by time is asked for and the log has no times.
    """
    outside = _of_labels(sequences, labels)
    found, contradicted = _settled(_of_verdicts(sequences, verdicts) + outside)
    if not found:
        return None
    actors = sequences[Column.ACTOR].to_numpy()
    given = {actors[one.rows[0]]: one.split for one in outside if one.split is not None}
    rows, label = [one.rows for one in found], np.array([one.label for one in found])
    scheme = np.array([one.scheme for one in found], dtype=object)
    split = assign(
        [actors[part[0]] for part in rows],
        label,
        given,
        alike=None if content is None else _alike(actors, content),
        last=_last_times(sequences, rows) if by_time else None,
    )
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in rows])]).astype(np.int64)
    unit = str(labels["unit"].mode().iloc[0]) if len(labels) else "actor"
    bags = Bags(np.concatenate(rows), offsets, label, split, scheme, unit, contradicted)
    return bags if given or content is None else _without_repeats(bags, content)


def label_actors(
    sequences: pd.DataFrame, labels: pd.DataFrame, verdicts: pd.DataFrame
) -> dict[str, int]:
    """Return what is known of each actor: abuse if any of its units is."""
    bags = bags_of(sequences, labels, verdicts)
    if bags is None:
        return {}
    actors = sequences[Column.ACTOR].iloc[bags.first].to_numpy()
    highest = pd.Series(bags.label).groupby(actors).max()
    return {str(actor): int(label) for actor, label in highest.items()}


def repeats(bags: Bags, content: Hashes, split: str) -> dict[str, int]:
    """Count what the content of units says about the judgement on `split`.

    ``repeated``: units of `split` that say what a unit of another side says. ``contradictory``:
    labelled units of which one of the same content has the other label; they stay, and nobody can
    tell them apart. ``set_aside``: held-out units that repeat others and so judge nothing.
    """
    hashes = bags.content(content)
    elsewhere = hashes[(bags.split != split) & (bags.split != "repeat")]
    twofold = np.intersect1d(hashes[bags.label == 1], hashes[bags.label == 0])
    return {
        "repeated": int(np.isin(hashes[bags.split == split], elsewhere).sum()),
        "contradictory": int(np.isin(hashes, twofold).sum()),
        "set_aside": int((bags.split == "repeat").sum()),
        "contradicted": bags.contradicted,
    }


def _without_repeats(bags: Bags, content: Hashes) -> Bags:
    split = set_repeats_aside(bags.split, bags.content(content))
    aside = replace(bags, split=split)
    kept = all(aside.has_both(side) for side in ("train", "validation", "test"))
    return aside if kept else bags


def _alike(actors: npt.NDArray[Any], content: Hashes) -> dict[str, str]:
    """Return, for every actor that did just what another did, the first of them by name."""
    codes, names = pd.factorize(actors, sort=True)
    hashes = pd.Series(of_owners(content, codes, len(names)), index=names)
    repeated = hashes[hashes.duplicated(keep=False)]
    leader = pd.Series(repeated.index, index=repeated.to_numpy()).groupby(level=0).first()
    return dict(zip(repeated.index, repeated.map(leader), strict=True))


def _last_times(
    sequences: pd.DataFrame, rows: list[npt.NDArray[np.int64]]
) -> npt.NDArray[np.datetime64]:
    last = sequences[Column.LAST]
    if last.isna().any():
        raise BadInput("This log has no times, so it cannot be split by time; split it by actor.")
    times = last.dt.tz_convert(None).to_numpy()
    return np.array([times[part].max() for part in rows])


class _Found(NamedTuple):
    rows: npt.NDArray[np.int64]
    label: int
    split: str | None = None
    scheme: str | None = None


def _settled(found: list[_Found]) -> tuple[list[_Found], int]:
    """Return what stays of labels, the weightiest given first, and how many were contradicted.

    The sequences that an abusive actor has besides those cleared may still be abuse; besides those
    convicted nobody knows. A legitimate label does not stand beside a conviction.
    """
    told: dict[int, int] = {}  # sequence -> label
    kept, contradicted = [], 0
    for one in found:
        rows, label = one.rows.tolist(), one.label
        said = {told[row] for row in rows if row in told}
        free = np.array([row for row in rows if row not in told], dtype=np.int64)
        if 1 - label in said and (label == 0 or not len(free)):
            contradicted += 1
        elif len(free) and not (label == 1 and 1 in said):
            kept.append(one._replace(rows=free))
            told |= dict.fromkeys(free.tolist(), label)
    return kept, contradicted


def _of_labels(sequences: pd.DataFrame, labels: pd.DataFrame) -> list[_Found]:
    """Return the sequences of outside labels, those on the smallest units first."""
    found: list[_Found] = []
    for unit in ("sequence", "session", "actor"):
        part = labels[labels["unit"] == unit]
        rows_of: dict[Any, Any] = dict(sequences.groupby(UNIT_COLUMN[unit]).indices)
        columns = (part[name] for name in ("key", "label", "split", "scheme"))
        for key, label, *told in zip(*columns, strict=True):
            if key in rows_of:
                split, scheme = (one if isinstance(one, str) else None for one in told)
                found.append(_Found(rows_of[key], int(label), split, scheme))
    return found


def _of_verdicts(sequences: pd.DataFrame, verdicts: pd.DataFrame) -> list[_Found]:
    row_of = {key: row for row, key in enumerate(sequences[Column.SEQUENCE])}
    of_actor: dict[Any, Any] = dict(sequences.groupby(Column.ACTOR).indices)
    found: list[_Found] = []
    columns = (verdicts[name] for name in ("decision", "sequences", "actor_id", "scheme"))
    for decision, covered, actor, scheme in zip(*columns, strict=True):
        if decision == "confirmed":
            rows = sorted(row_of[key] for key in covered if key in row_of)
            if rows:
                named = scheme if isinstance(scheme, str) else None
                found.append(_Found(np.array(rows), 1, scheme=named))
        elif decision == "legitimate" and actor in of_actor:
            found.append(_Found(np.asarray(of_actor[actor]), 0))
    return found
