"""Adversarial training: perturbed copies of the training units as further bags.

The copies are perturbed without regard to the model (data augmentation), not against it: cheaper
than Goodfellow et al. (ICLR 2015), and every copy is a log that could have been.
"""

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from core.batch import joined
from core.govern.log import Log
from core.govern.perturbing import Perturbations, encoded, normal_events
from core.govern.replay import Lesson
from core.logs.frames import read_events
from core.model.units import Bags
from core.schema import Column
from core.store.home import Home
from core.tokens import Tokenizer

MOST_EVENTS: Final = 500_000  # copied
HIDING: Final = (0.25, 0.5)  # shares of normal events that copies are padded to


def with_perturbed(
    home: Home, log: Log, learned: Lesson, tokenizer: Tokenizer, seed: int
) -> Lesson:
    """Return what a labelled log has to teach with perturbed copies behind it.

    Each training actor is copied once, perturbed in one of the ways that fit the log. Both classes
    are: else padding itself would give abuse away.
    """
    assert log.bags is not None
    rng = np.random.default_rng(seed)
    normal = normal_events(home, log, split="train", seed=seed)
    found = Perturbations.of(log.mapping, normal)
    ways = [*found.small.values(), *(found.camouflage(share) for share in HIDING)]
    train = log.bags.of("train")
    named = log.sequences[Column.ACTOR]
    actors = rng.permutation(named.iloc[train.first].unique())
    events = log.sequences.groupby(Column.ACTOR)[Column.EVENTS].sum().loc[actors]
    actors = actors[: max(1, int((events.cumsum() <= MOST_EVENTS).sum()))]
    labelled = np.unique(log.bags.rows)
    parts, origin = [learned.batch], []
    for way, group in zip(ways, np.array_split(actors, len(ways)), strict=True):
        if len(group):
            before = log.sequences[named.isin(group)]
            after = way(read_events(home, log.dataset_id, actors=list(group)), rng)
            copies, rows = encoded(after, before, log.mapping, log.actions, tokenizer)
            known = np.isin(rows, labelled)
            parts.append(copies.take(np.flatnonzero(known)))
            origin.append(np.searchsorted(labelled, rows[known]))
    copied = np.concatenate(origin)
    return Lesson(
        learned.dataset_id,
        joined(parts),
        _further(learned.bags, copied, len(learned.batch)),
        np.concatenate([learned.confidence, learned.confidence[copied]]),
    )


def _further(bags: Bags, origin: npt.NDArray[np.int64], size: int) -> Bags:
    """Return `bags` and the training ones once more with the copies, whose rows follow `size`."""
    order = np.argsort(origin, kind="stable")
    rows, offsets, chosen = [bags.rows], [*bags.offsets.tolist()], []
    for index in np.flatnonzero(bags.split == "train"):
        own = np.unique(bags.rows[bags.offsets[index] : bags.offsets[index + 1]])
        start = np.searchsorted(origin[order], own, "left")
        stop = np.searchsorted(origin[order], own, "right")
        copies = [order[a:b] for a, b in zip(start, stop, strict=True)]
        of_bag = np.concatenate(copies) + size
        if len(of_bag):
            rows.append(of_bag)
            offsets.append(offsets[-1] + len(of_bag))
            chosen.append(index)
    return replace(
        bags,
        rows=np.concatenate(rows),
        offsets=np.array(offsets, dtype=np.int64),
        label=np.concatenate([bags.label, bags.label[chosen]]),
        split=np.concatenate([bags.split, bags.split[chosen]]),
        scheme=np.concatenate([bags.scheme, bags.scheme[chosen]]),
    )
