"""Other ways to explain a score, beside the Shapley values of `core.explain.shapley`.

All take a scorer and one sequence and give an `Attribution`: a value per token, summed by event.
Only Shapley values and integrated gradients are made to add up to the score; `Attribution.error`
says how far a method is from that. The attention roll-out has no direction and no scale. Both see
the transformer alone: the counters beside it (`core.model.counters`) have no attention, and of
them only a part has a gradient.

What hides tokens hides them as Shapley values do, behind ``[MASK]``, all in one batch: captum
(which would bring Matplotlib along) and lime call the model themselves, and neither rolls out
attention.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import Ridge

from core.batch import Batch, joined
from core.errors import BadInput
from core.explain.coalitions import Floats
from core.explain.dividing import adding_up
from core.explain.players import POSITIONS, Groups, Hidden, without
from core.explain.shapley import Attribution, attribute, score_hidden
from core.model.batching import BUDGET
from core.model.encoder import Encoder
from core.model.inference import of_abuse
from core.model.text import TextEncoder
from core.scoring.engine import Scorer

Method = Callable[[Scorer, Batch], Attribution]
Score = Callable[[Hidden], Floats]  # tokens to hide, (C, T) -> scores, (C,)
Weigh = Callable[[Score, Groups, int], Floats]  # with at most so many scores: value of each group

STEPS: Final = 50  # of integrated gradients: points of a Gauss-Legendre quadrature
SAMPLES: Final = 1000  # of LIME, at each level
KERNEL_WIDTH: Final = 0.25  # of LIME, as for its texts
INSIDE: Final = ("integrated_gradients", "attention_rollout")  # these look into the encoder


@dataclass
class Hiding:
    """The scores of one sequence with some of its tokens hidden, and how many were asked for."""

    scorer: Scorer
    batch: Batch
    evaluations: int = 0

    def scores(self, hidden: Hidden) -> Floats:
        """Return the scores, (C,), with the tokens of each row of `hidden`, (C, T), hidden."""
        self.evaluations += len(hidden)
        (found,) = score_hidden(self.scorer, [(self.batch, hidden)])
        return found

    def ends(self) -> tuple[float, float]:
        """Return the scores with everything hidden, and with nothing."""
        reads = self.scorer.encoder.reads(self.batch)
        base_value, score = self.scores(np.stack([reads, np.zeros_like(reads)])).tolist()
        return base_value, score


def occlusion(scorer: Scorer, batch: Batch) -> Attribution:
    """Say how far the score falls when one event is hidden, and within it one token.

    Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks" (ECCV 2014). The tokens
    share their event's value in proportion to their own. Long sequences: see `_in_two_levels`.
    """
    return _in_two_levels(scorer, batch, _drops)


def lime(scorer: Scorer, batch: Batch) -> Attribution:
    """Fit a weighted ridge regression to the scores with events hidden, and with tokens hidden.

    Ribeiro et al., "Why Should I Trust You?" (KDD 2016), with what its package draws and weighs by
    for texts. The tokens share their event's value in proportion to their own.
    """
    return _in_two_levels(scorer, batch, _coefficients)


def integrated_gradients(scorer: Scorer, batch: Batch) -> Attribution:
    """Integrate the gradient of the score from ``[MASK]`` to the tokens, in their embeddings.

    Sundararajan et al., "Axiomatic Attribution for Deep Networks" (ICML 2017). Where counters
    judge, too, the score integrated is the transformer's own, and what they moved is in the error.

    Raises
    ------
    BadInput
        If the model's score has no gradient: see `check_defined`.
    """
    check_defined("integrated_gradients", scorer)
    hiding = Hiding(scorer, batch)
    base_value, score = hiding.ends()
    nodes, weights = np.polynomial.legendre.leggauss(STEPS)
    points, shares = (nodes + 1) / 2, weights / 2
    together = max(1, BUDGET // scorer.cost(batch))
    values = np.zeros(len(batch.ids))
    for start in range(0, STEPS, together):
        part = slice(start, start + together)
        asked = partial(_gradients, points=points[part], shares=shares[part])
        values += scorer.evaluate(batch, asked, width=len(values))[0]
    return Attribution(values, base_value, score, evaluations=hiding.evaluations + STEPS)


def attention_rollout(scorer: Scorer, batch: Batch) -> Attribution:
    """Say how much of each event reaches the position that is classified, through all layers.

    Abnar & Zuidema, "Quantifying Attention Flow in Transformers" (ACL 2020). Tokens that share a
    position share its value.

    Raises
    ------
    BadInput
        If the model classifies by no attention to the events: see `check_defined`.
    """
    check_defined("attention_rollout", scorer)
    hiding = Hiding(scorer, batch)
    base_value, score = hiding.ends()
    values = scorer.evaluate(batch, _attended, width=len(batch.ids))[0].astype(np.float64)
    return Attribution(values, base_value, score, evaluations=hiding.evaluations + 1)


METHODS: Final[dict[str, Method]] = {
    "shap": attribute,
    "integrated_gradients": integrated_gradients,
    "occlusion": occlusion,
    "attention_rollout": attention_rollout,
    "lime": lime,
}


def check_defined(name: str, scorer: Scorer) -> None:
    """Raise `BadInput` if there is no such method, or it says nothing about such a model."""
    if name not in METHODS:
        raise BadInput(f"There is no method '{name}'. Methods: {', '.join(METHODS)}.")
    if name not in INSIDE:
        return
    words = name.replace("_", " ")
    others = ", ".join(one for one in METHODS if one not in INSIDE)
    if scorer.unusualness is not None:
        raise BadInput(
            f"The model '{scorer.model_id}' learned without labels: its score is a percentile, of "
            f"which {words} can say nothing. Accepted: {others}, or a model trained on labels."
        )
    if isinstance(scorer.encoder, TextEncoder):
        raise BadInput(
            f"The model '{scorer.model_id}' reads text, in windows of sub-words, for which {words} "
            f"is not built. Accepted: {others}, or a model of another back-bone."
        )


def _in_two_levels(scorer: Scorer, batch: Batch, weigh: Weigh) -> Attribution:
    """Weigh the profile and the events against each other, then the tokens.

    Where the sequence is so long that this would take more than `POSITIONS` of the encoder at a
    level, neighbouring events are hidden together and share evenly, and so do the tokens of the
    weakest events.
    """
    hiding = Hiding(scorer, batch)
    base_value, score = hiding.ends()
    most = max(2, POSITIONS // scorer.cost(batch))
    reads = scorer.encoder.reads(batch)
    width = max(1, -(-int(batch.event[-1]) // (most - 1)))
    block = np.where(batch.event > 0, 1 + (batch.event.astype(np.int64) - 1) // width, 0)
    blocks = _numbered(block, reads)
    values = np.zeros(len(batch.ids))
    if reads.any():
        of_block = weigh(hiding.scores, blocks, most)
        size = np.bincount(blocks[reads])
        strongest = np.argsort(-np.abs(of_block), kind="stable")
        chosen = strongest[np.cumsum(size[strongest]) <= most]
        tokens = _numbered(np.arange(len(values)), np.isin(blocks, chosen))
        of_token = weigh(hiding.scores, tokens, most) if len(chosen) else np.zeros(0)
        values[reads] = (of_block / size)[blocks[reads]]
        for number in chosen:
            own = blocks == number
            values[own] = adding_up(of_token[tokens[own]], of_block[number])
    return Attribution(values, base_value, score, evaluations=hiding.evaluations)


def _drops(score: Score, groups: Groups, most: int) -> Floats:
    """Return how far the score falls without each group."""
    everything = ~np.eye(int(groups.max()) + 1, dtype=bool)
    whole = np.ones_like(everything[:1])
    found = score(without(groups, np.concatenate([whole, everything])))
    return np.asarray(found[0] - found[1:])


def _coefficients(score: Score, groups: Groups, most: int) -> Floats:
    """Return the coefficient of each group's presence, near the whole sequence."""
    count = int(groups.max()) + 1
    rng = np.random.default_rng(0)
    shape = (min(SAMPLES, most), count)
    absent = rng.integers(1, count + 1, (shape[0], 1))
    ranks = rng.random(shape).argsort(axis=1).argsort(axis=1)
    present = np.concatenate([np.ones((1, count), dtype=bool), ranks >= absent])
    distance = 1 - np.sqrt(present.mean(axis=1))  # cosine distance to the whole
    weight = np.exp(-((distance / KERNEL_WIDTH) ** 2) / 2)
    surrogate = Ridge(alpha=1.0).fit(present, score(without(groups, present)), weight)
    return np.asarray(surrogate.coef_)


def _gradients(encoder: Encoder, batch: Batch, *, points: Floats, shares: Floats) -> torch.Tensor:
    """Return each token's part of the integral over some points of the path, (1, T)."""
    with torch.inference_mode(False), torch.enable_grad():
        own = encoder.words(batch).detach()
        hidden = encoder.words(batch.hidden(encoder.reads(batch))).detach()
        at = torch.from_numpy(points).to(own)[:, None, None]
        words = (hidden + at * (own - hidden)).flatten(0, 1).requires_grad_()  # (points * T, H)
        logits = encoder.read_words(joined([batch] * len(points)), words)
        scores = of_abuse(encoder, logits.float())[:, 0]
        weighted = scores @ torch.from_numpy(shares).to(scores)
        (gradient,) = torch.autograd.grad(weighted, words)
        path = gradient.float().view(len(points), *own.shape).sum(0)
        return (path * (own - hidden).float()).sum(-1)[None]


def _attended(encoder: Encoder, batch: Batch) -> torch.Tensor:
    return encoder.attended(batch)[None]


def _numbered(groups: Groups, chosen: npt.NDArray[np.bool_]) -> Groups:
    """Return the groups of the `chosen` tokens numbered from 0, -1 for all others."""
    found = np.full(len(groups), -1)
    found[chosen] = np.unique(groups[chosen], return_inverse=True)[1]
    return found
