"""Replay: what a model learned from earlier data sets is trained again beside the new labels.

Rehearsal of old examples is the simplest remedy for forgetting and hard to beat (Chaudhry et al.,
"On Tiny Episodic Memories in Continual Learning", 2019).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score

from core.batch import Batch, joined
from core.errors import BadInput, NotFound
from core.govern.log import Log, read_log, split_of
from core.model.encoder import Encoder
from core.model.inference import probabilities
from core.model.units import Bags
from core.store import models
from core.store.home import Home
from core.tokens import Tokenizer


@dataclass(frozen=True)
class Lesson:
    """Labelled bags with the sequences they are about; `bags` holds rows of `batch`."""

    dataset_id: str
    batch: Batch
    bags: Bags
    confidence: npt.NDArray[np.float64]  # of the label of each sequence of `batch`


def lesson(log: Log, tokenizer: Tokenizer) -> Lesson:
    """Return what a labelled log has to teach."""
    if log.bags is None:
        raise BadInput(f"'{log.dataset_id}' has no verdicts or labels.")
    rows = np.unique(log.bags.rows)
    bags = replace(log.bags, rows=np.searchsorted(rows, log.bags.rows))
    return Lesson(log.dataset_id, log.encode(tokenizer, rows), bags, log.confidence[rows])


def earlier(home: Home, parent_id: str, dataset_id: str, encoder: Encoder) -> list[Lesson]:
    """Return the lessons of other data sets that a model and its ancestors were trained on.

    Deleted data sets, and those whose labels are gone, cannot be replayed.
    """
    found: list[Lesson] = []
    seen = {dataset_id}
    following: str | None = parent_id
    while following is not None:
        with home.engine.connect() as con:
            model = models.get(con, following)
        if model.dataset_id is not None and model.dataset_id not in seen:
            seen.add(model.dataset_id)
            try:
                by = split_of(home, model.id)  # what it tested on teaches nobody later
                log = read_log(home, model.dataset_id, split_by=by)
                log.check_known(encoder.tokenizer, parent_id)
                found.append(lesson(log, encoder.tokenizer))
            except (BadInput, NotFound):
                pass
        following = model.parent_id
    return found


def with_replay(new: Lesson, old: list[Lesson], rng: np.random.Generator) -> Lesson:
    """Return `new` with training bags of the `old` lessons, together at most as many as its own.

    They train only: validation and test are about the new data set.
    """
    together = new
    budget = len(new.bags.of("train")) // max(1, len(old))
    for one in old:
        training = np.flatnonzero(one.bags.split == "train")
        drawn = rng.permutation(training)[:budget]
        together = _joined(together, one, one.bags.take(np.sort(drawn)))
    return together


def precision_on(encoder: Encoder, one: Lesson) -> float | None:
    """Return the average precision on a lesson's test bags; None without both classes."""
    test = one.bags.of("test")
    if not one.bags.has_both("test"):
        return None
    score = test.maximum(probabilities(encoder, one.batch.take(test.rows)))
    return float(average_precision_score(test.label, score))


def forgetting(before: list[float | None], after: list[float | None], old: list[Lesson]) -> Any:
    """Return how the average precision on each old data set moved, ready for JSON."""
    return [
        {"dataset": one.dataset_id, "before": first, "after": second}
        for one, first, second in zip(old, before, after, strict=True)
    ]


def _joined(new: Lesson, old: Lesson, drawn: Bags) -> Lesson:
    if not len(drawn):
        return new
    bags = replace(
        new.bags,
        rows=np.concatenate([new.bags.rows, drawn.rows + len(new.batch)]),
        offsets=np.concatenate([new.bags.offsets, drawn.offsets[1:] + new.bags.offsets[-1]]),
        label=np.concatenate([new.bags.label, drawn.label]),
        split=np.concatenate([new.bags.split, drawn.split]),
        scheme=np.concatenate([new.bags.scheme, drawn.scheme]),
    )
    confidence = np.concatenate([new.confidence, old.confidence])
    return Lesson(new.dataset_id, joined([new.batch, old.batch]), bags, confidence)
