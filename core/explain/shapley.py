"""SHAP values of a sequence's tokens: hierarchical Shapley (Owen) values over tokens in events.

Lundberg & Lee, "A Unified Approach to Interpreting Model Predictions" (NeurIPS 2017), computed by
shap's PartitionExplainer over a tree whose leaves are tokens: tokens join into their event, events
join in order of time, the profile joins last. A token outside a coalition is hidden by ``[MASK]``,
as in pre-training.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.batch import MASK, Batch
from core.model.encoder import POSITIVE
from core.scoring.engine import Scorer

Floats = npt.NDArray[np.float64]

EVALUATIONS = 500  # of the model, for one sequence: shap's own default
AT_ONCE = 64  # nodes of the tree opened together


@dataclass(frozen=True)
class Attribution:
    """Additive explanation of one score: ``base_value + values.sum() == score`` within 1e-5."""

    values: Floats  # (T,), in the order of the sequence's tokens; 0 for [CLS]
    base_value: float  # score with everything hidden
    score: float

    def by_event(self, batch: Batch) -> Floats:
        """Return the sum over each event's tokens, (events + 1,); the profile comes first."""
        return np.bincount(batch.event, weights=self.values).astype(np.float64)


def attribute(scorer: Scorer, batch: Batch) -> Attribution:
    """Explain the score of the one sequence in `batch`."""
    import shap  # loads numba: four seconds that only an explanation should wait for

    players = np.flatnonzero(scorer.encoder.reads(batch))

    def score_coalitions(present: Floats) -> Floats:
        ids = np.tile(batch.ids, (len(present), 1))  # (B, T)
        rows, columns = np.nonzero(present < 0.5)
        ids[rows, players[columns]] = MASK
        return scorer.predict_proba(_repeated(batch, ids))[:, POSITIVE].astype(np.float64)

    everything = np.ones((1, len(players)))
    tree = _tree(batch.event[players])
    masker = shap.maskers.Partition(np.zeros_like(everything), clustering=tree)
    explainer = shap.PartitionExplainer(score_coalitions, masker)
    explained = explainer(everything, max_evals=EVALUATIONS, batch_size=AT_ONCE, silent=True)
    values = np.zeros(len(batch.ids))
    values[players] = explained.values[0]
    base_value = float(np.ravel(explained.base_values)[0])
    return Attribution(values, base_value, float(score_coalitions(everything)[0]))


def _repeated(batch: Batch, ids: npt.NDArray[np.int32]) -> Batch:
    """Return one sequence's batch with each row of `ids` in place of its own."""
    times, length = ids.shape
    offsets = np.arange(times + 1, dtype=np.int64) * length
    return Batch(ids.ravel(), np.tile(batch.field, times), np.tile(batch.event, times), offsets)


def _tree(event: npt.NDArray[np.int16]) -> Floats:
    """Return SciPy's linkage matrix of tokens in events in the sequence, (tokens - 1, 4)."""
    merges: list[list[float]] = []
    size = dict.fromkeys(range(len(event)), 1)

    def join(nodes: list[int]) -> int:
        if len(nodes) == 1:
            return nodes[0]
        half = len(nodes) // 2
        left, right = join(nodes[:half]), join(nodes[half:])
        merged = len(event) + len(merges)
        size[merged] = size[left] + size[right]
        merges.append([left, right, len(merges) + 1.0, size[merged]])
        return merged

    groups = [join(np.flatnonzero(event == number).tolist()) for number in np.unique(event)]
    with_profile = event.min() == 0
    rest = groups[1:] if with_profile else groups
    parts = [join(rest)] if rest else []
    join([*parts, groups[0]] if with_profile else parts)
    return np.array(merges, dtype=np.float64)
