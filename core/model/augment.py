"""Augmentation: pure functions over a `Batch`, each giving sequences a little unlike those given.

The profile stays as it was: it tells of the whole sequence, which the label is about.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from core.batch import Batch
from core.tokens import Tokenizer

Rng = np.random.Generator
Augmentation = Callable[[Batch, Rng, Tokenizer], Batch]

KEPT = 0.7  # least share of its events that a crop leaves
DROPPED = 0.1  # of the events
JITTERED = 0.15  # of the durations


def hide(batch: Batch, rng: Rng, tokenizer: Tokenizer | None = None) -> Batch:
    """Hide a share of each sequence's tokens, from none to all: single ones or whole events.

    Regularises; and an explanation hides tokens and events too, up to the whole sequence, so the
    model must know what to say when little is left: near the share of abuse it was shown.
    """
    share = rng.random(len(batch)) ** 3  # mean 1/4
    whole_events = rng.random(len(batch)) < 0.5
    of_event = rng.random(int(batch.positions.sum()))[batch.group]
    draw = np.where(whole_events[batch.owner], of_event, rng.random(len(batch.ids)))
    return batch.hidden((draw < share[batch.owner]) & (batch.field > 0))


def crop(batch: Batch, rng: Rng, tokenizer: Tokenizer | None = None) -> Batch:
    """Keep a run of neighbouring events of each sequence, at least `KEPT` of them."""
    events = batch.positions - 1
    length = np.ceil(events * rng.uniform(KEPT, 1, len(batch)))
    first = 1 + np.floor(rng.random(len(batch)) * (events - length + 1))
    inside = (batch.event >= first[batch.owner]) & (batch.event < (first + length)[batch.owner])
    return _arranged(batch, batch.event, (batch.event == 0) | inside)


def rotate(batch: Batch, rng: Rng, tokenizer: Tokenizer | None = None) -> Batch:
    """Begin each sequence at a random event and put what came before it at the end."""
    events = np.maximum(batch.positions - 1, 1)
    shift = rng.integers(0, events)[batch.owner]
    moved = 1 + (batch.event - 1 + shift) % events[batch.owner]
    return _arranged(batch, np.where(batch.event == 0, 0, moved), np.ones(len(batch.ids), bool))


def drop_events(batch: Batch, rng: Rng, tokenizer: Tokenizer | None = None) -> Batch:
    """Leave out a share of the events, never a sequence's last one."""
    gone = (rng.random(int(batch.positions.sum())) < DROPPED)[batch.group]
    last = batch.event == batch.positions[batch.owner] - 1
    return _arranged(batch, batch.event, ~gone | last | (batch.event == 0))


def jitter(batch: Batch, rng: Rng, tokenizer: Tokenizer) -> Batch:
    """Move a share of the durations to the next shorter or longer token."""
    of_field = np.array([False, *(field.kind == "seconds" for field in tokenizer.fields)])
    lowest = np.array([0, *(start + 1 for start in tokenizer.starts)])  # after `missing`
    highest = np.array([0, *(end - 1 for end in tokenizer.ends)])
    present = of_field[batch.field] & (batch.ids >= lowest[batch.field])
    moved = batch.ids + rng.choice([-1, 1], len(batch.ids))
    moved = np.clip(moved, lowest[batch.field], highest[batch.field])
    chosen = present & (rng.random(len(batch.ids)) < JITTERED)
    ids = np.where(chosen, moved, batch.ids).astype(np.int32)
    return Batch(ids, batch.field, batch.event, batch.offsets)


AUGMENTATIONS: Final[dict[str, Augmentation]] = {
    "hide": hide,
    "crop": crop,
    "rotate": rotate,
    "drop_events": drop_events,
    "jitter": jitter,
}


def _arranged(batch: Batch, event: npt.NDArray[np.integer], kept: npt.NDArray[np.bool_]) -> Batch:
    """Return the `kept` tokens in the order of their new `event`, numbered without holes."""
    order = np.lexsort((np.arange(len(event)), event, batch.owner))
    order = order[kept[order]]
    owner, event = batch.owner[order], event[order].astype(np.int64)
    begins = np.ones(len(order), dtype=bool)  # a token that opens an event, or a sequence
    begins[1:] = (np.diff(owner) > 0) | (np.diff(event) != 0)
    number = np.cumsum(begins) - 1
    lengths = np.bincount(owner, minlength=len(batch))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    dense = number - number[offsets[:-1]][owner]
    return Batch(batch.ids[order], batch.field[order], dense.astype(np.int16), offsets)
