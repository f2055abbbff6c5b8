"""Fitting what judges beside a fine-tuned transformer, see `core.model.counters`."""

from collections.abc import Iterable
from itertools import chain
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import coo_array
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from core.batch import MASK, Batch
from core.model.augment import hide
from core.model.counters import DEPTH, Counters, count_tokens
from core.model.encoder import Encoder
from core.model.inference import probabilities
from core.model.units import Bags
from core.tokens import Tokenizer

NUMBER: Final = 200
MOST: Final = 10_000  # sequences that are learned from
COPIES: Final = 3  # of each, with a part hidden
PIECE: Final = 2_000  # sequences whose tokens are counted at once
UNCOUNTED: Final = ("entity", "relative", "text")  # kinds of too many tokens, each of them rare

Labels = npt.NDArray[np.int64]
Weights = npt.NDArray[np.float64]


def fit_counters(encoder: Encoder, batch: Batch, bags: Bags, sure: Weights, seed: int) -> Counters:
    """Return counters fitted to training bags of both classes.

    They learn from all sequences of normal bags, and of a bag of abuse from the one that the
    transformer finds worst. For trees there are beside each copies of which a part is hidden, as
    the transformer has seen them; a sum of weights needs none, for what is hidden adds nothing.

    Parameters
    ----------
    sure
        How sure the label of each of the batch's sequences is, (N,).
    """
    rng = np.random.default_rng(seed)
    worst = bags.highest(probabilities(encoder, batch.take(bags.rows)))
    abuse = np.repeat(bags.label, np.diff(bags.offsets))
    chosen = abuse == 0
    chosen[worst[bags.label == 1]] = True
    places, stands_for = sampled(np.flatnonzero(chosen), abuse[chosen], rng)
    shown, label = batch.take(bags.rows[places]), abuse[places]
    weight = stands_for * sure[bags.rows[places]]
    partly = (hide(shown, rng) for _ in range(COPIES))
    wholly = (shown.hidden(shown.field > 0) for _ in range(1))  # of which nobody can tell
    copies = chain([shown], partly, wholly)
    again = 2 + COPIES
    counters = Counters(
        **linear(encoder.tokenizer, shown, label, weight),
        **grow(encoder.tokenizer, copies, np.tile(label, again), np.tile(weight, again)),
    )
    return counters.to(encoder.device)


def sampled(
    places: Labels, label: Labels, rng: np.random.Generator, most: int = MOST
) -> tuple[Labels, Weights]:
    """Return at most `most` of the `places`, and how many of its class each stands for, (n,).

    All that are labelled 1 are among them, as far as they fit into half.
    """
    bad, good = (np.flatnonzero(label == value) for value in (1, 0))
    if len(bad) > most // 2:
        bad = rng.choice(bad, most // 2, replace=False)
    if len(good) > most - len(bad):
        good = rng.choice(good, most - len(bad), replace=False)
    kept = np.sort(np.concatenate([bad, good]))
    each = np.bincount(label) / np.bincount(label[kept])
    return places[kept], each[label[kept]]


def linear(tokenizer: Tokenizer, batch: Batch, label: Labels, weight: Weights) -> dict[str, Tensor]:
    """Return the parts of `Counters` that say it by which tokens events hold, however often.

    A weight for each bucket of the profile as well would say the same as trees, only worse. The
    share of tokens that are hidden moves the log-odds towards those of any sequence.
    """
    of_events = batch.event > 0
    ids, owner = batch.ids[of_events], batch.owner[of_events]
    held = coo_array((np.ones(len(ids)), (owner, ids)), (len(batch), len(tokenizer))).tocsr()
    held.data[:] = 1
    model = LogisticRegression(max_iter=1_000).fit(held, label, weight)
    weights, bias = model.coef_[0].copy(), float(model.intercept_[0])
    weights[MASK] = _log_odds(label, weight) - bias  # all hidden: as common as it was
    return {"weight": torch.from_numpy(weights).float(), "bias": torch.tensor(bias)}


def grow(
    tokenizer: Tokenizer, batches: Iterable[Batch], label: Labels, weight: Weights
) -> dict[str, Tensor]:
    """Return the parts of `Counters` that are trees.

    They tell sequences labelled 1 from those labelled 0.

    Parameters
    ----------
    batches
        Sequences; one batch is held at a time.
    label, weight
        Of each sequence of all batches, (N,), and how much it counts. Both labels must occur.
    """
    column, counts = _columns(tokenizer)
    width = int(column.max()) + 1
    table = torch.cat(
        [
            count_tokens(column, counts, batch.take(rows), width)[:, :-1].float()
            for batch in batches
            for rows in np.array_split(np.arange(len(batch)), -(-len(batch) // PIECE))
        ]
    )
    model = GradientBoostingClassifier(
        n_estimators=NUMBER, max_depth=DEPTH, subsample=0.5, max_features="sqrt", random_state=0
    )
    model.fit(table.numpy(), label, weight)
    grown = [tree.tree_ for tree in model.estimators_[:, 0]]
    roots = np.cumsum([0, *(tree.node_count for tree in grown)])[:-1]
    placed = list(zip(grown, roots, strict=True))
    nodes = {
        "asked": [np.maximum(tree.feature, 0) for tree in grown],
        "limit": [np.floor(tree.threshold).astype(np.int64) for tree in grown],
        "left": [_child(tree.children_left) + root for tree, root in placed],
        "right": [_child(tree.children_right) + root for tree, root in placed],
        "value": [model.learning_rate * tree.value[:, 0, 0].astype(np.float32) for tree in grown],
    }
    return {
        "column": column,
        "counts": counts,
        "roots": torch.from_numpy(roots),
        "base": torch.tensor(_log_odds(label, weight)),
        **{name: torch.from_numpy(np.concatenate(parts)) for name, parts in nodes.items()},
    }


def _columns(tokenizer: Tokenizer) -> tuple[Tensor, Tensor]:
    """Return the column of each token, and what one of it adds there, both (V,)."""
    column = torch.full((len(tokenizer),), -1)
    counts = torch.ones(len(tokenizer), dtype=torch.int64)
    following = 0
    for field, start, end in zip(tokenizer.fields, tokenizer.starts, tokenizer.ends, strict=True):
        if field.level == "profile":
            column[start:end] = following
            counts[start:end] = torch.arange(1, end - start + 1)  # 0: it is hidden
            following += 1
        elif field.kind not in UNCOUNTED:
            column[start:end] = torch.arange(following, following + end - start)
            following += end - start
    column[column < 0] = following
    return column, counts


def _log_odds(label: Labels, weight: Weights) -> float:
    """Return the log-odds of label 1."""
    prior = np.average(label, weights=weight)
    return float(np.log(prior / (1 - prior)))


def _child(children: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Let a leaf be its own child."""
    own: npt.NDArray[np.int64] = np.where(children < 0, np.arange(len(children)), children)
    return own
