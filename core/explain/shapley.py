"""SHAP values of a sequence's tokens: Shapley values of its events, Owen values of their tokens.

The players are the profile and the events; inside a player its tokens divide its value (Owen,
"Values of games with a priori unions", 1977). So tokens add up to their event, and events to the
score. What is outside a coalition is hidden by ``[MASK]``, as in pre-training, and an event of a
log from the profile too (`core.explain.profiled`). Coalitions are scored together, those of one
sequence and those of several.

shap's PartitionExplainer has Owen values over a binary tree only: events would be halves of halves
of the sequence, and an event's value would depend on which half it fell into.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from core.batch import Batch, joined
from core.errors import BadInput
from core.explain.coalitions import Floats
from core.explain.dividing import by_token
from core.explain.players import Hidden, players_of
from core.explain.sampling import by_player
from core.model.encoder import POSITIVE
from core.scoring.engine import Scorer

EXACT_WITHIN = 1e-5  # how far base value and shares may miss the score
MOST_TOKENS = 1_000_000  # of coalitions scored in one call: some tens of megabytes
TOGETHER = 16  # sequences whose coalitions share a call

Reads = npt.NDArray[np.bool_]  # (T,): tokens that can move the score
Steps = Generator[Hidden, Floats, "Attribution"]
Told = Callable[[Floats], None]  # given the value of the profile and each event, as far as known


@dataclass(frozen=True)
class Attribution:
    """Additive explanation of one score: ``base_value + values.sum() == score`` within 1e-5."""

    values: Floats  # (T,), in the order of the sequence's tokens; 0 for [CLS]
    base_value: float  # score with everything hidden
    score: float
    stability: float = 1.0  # rank correlation of the players between two samples; 1: exact
    pruned: int = 0  # first events taken as one, for together they hardly move the score
    evaluations: int = 0  # coalitions scored

    def by_event(self, batch: Batch) -> Floats:
        """Return the sum over each event's tokens, (events + 1,); the profile comes first."""
        return np.bincount(batch.event, weights=self.values).astype(np.float64)

    @property
    def error(self) -> float:
        """How far base value and shares miss the score."""
        return abs(float(self.base_value + self.values.sum() - self.score))


def attribute(scorer: Scorer, batch: Batch, *, told: Told | None = None) -> Attribution:
    """Explain the score of the one sequence in `batch`; raises as `attribute_many` does."""
    return next(attribute_many(scorer, [batch], told=told))


def attribute_many(
    scorer: Scorer, batches: Sequence[Batch], *, told: Told | None = None
) -> Iterator[Attribution]:
    """Explain the score of each batch's one sequence, `TOGETHER` at a time, in order.

    Parameters
    ----------
    told
        Called with the values by event, (events + 1,), whenever a better estimate of them is there.

    Raises
    ------
    BadInput
        If the model's scores are no numbers, so that nothing adds up.
    """
    for start in range(0, len(batches), TOGETHER):
        some = batches[start : start + TOGETHER]
        work = [
            _steps(batch, scorer.encoder.reads(batch), scorer.cost(batch), told) for batch in some
        ]
        for found in _in_step(scorer, some, work):
            if not found.error <= EXACT_WITHIN:  # also where it is no number
                raise BadInput(
                    f"The scores of the model '{scorer.model_id}' do not add up: base value and "
                    f"shares miss the score by {found.error:.3g}. Its weights may be damaged."
                )
            yield found


def _steps(batch: Batch, reads: Reads, cost: int, told: Told | None) -> Steps:
    """Explain one sequence: give the tokens to hide, (C, T), and go on with the scores, (C,)."""
    base_value, score = (yield np.stack([reads, np.zeros_like(reads)])).tolist()
    players = yield from players_of(batch, reads, cost, base_value, score)
    first = np.full(int(batch.event[-1]) + 1, -1)  # player of each event
    first[batch.event[reads]] = players.levels[0][reads]

    def tell(values: Floats) -> None:
        """Tell the values by event; those of one player share evenly until it is divided."""
        if told is not None:
            share = values / np.bincount(first[first >= 0])
            told(np.where(first >= 0, share[first], 0.0))

    found = yield from by_player(players, cost, base_value, score, tell)
    tell(found.values)
    pruned = reads & (batch.event > 0) & (batch.event <= players.pruned)
    values = yield from by_token(players, found.values, cost, pruned)
    return Attribution(values, base_value, score, found.stability, players.pruned)


def _in_step(scorer: Scorer, batches: Sequence[Batch], work: list[Steps]) -> list[Attribution]:
    """Go through the steps of several sequences side by side, scoring what all of them ask."""
    evaluations = np.zeros(len(work), dtype=np.int64)
    found: dict[int, Attribution] = {}
    asked = {number: next(steps) for number, steps in enumerate(work)}
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        # Fits are of one thread each. What one sequence asks is answered here: it tells the page.
        advance = pool.map if len(work) > 1 else map
        while asked:
            answers = score_hidden(scorer, [(batches[one], asked[one]) for one in asked])
            told = advance(_answered, [work[one] for one in asked], answers)
            for number, more in list(zip(asked, told, strict=True)):
                evaluations[number] += len(asked[number])
                if isinstance(more, Attribution):
                    found[number] = more
                    del asked[number]
                else:
                    asked[number] = more
    return [replace(found[one], evaluations=int(evaluations[one])) for one in range(len(work))]


def _answered(steps: Steps, scores: Floats) -> Hidden | Attribution:
    """Go on with the scores asked for: to the next tokens to hide, or to the end."""
    try:
        return steps.send(scores)
    except StopIteration as ended:
        found: Attribution = ended.value
        return found


def score_hidden(scorer: Scorer, asked: Sequence[tuple[Batch, Hidden]]) -> list[Floats]:
    """Return the scores of sequences with tokens hidden, as many in one call as memory allows.

    Of each one sequence in `asked` the tokens of each row, (C, T), are hidden: its scores are (C,).
    """
    counts = [len(hidden) for _, hidden in asked]
    scores: list[Floats] = []
    piece: list[Batch] = []
    size = 0
    for batch, hidden in asked:
        rows = max(1, MOST_TOKENS // len(batch.ids))
        for start in range(0, len(hidden), rows):
            some = hidden[start : start + rows]
            if piece and size + some.size > MOST_TOKENS:
                scores.append(_probabilities(scorer, piece))
                piece, size = [], 0
            piece.append(batch.hidden_in_turn(some))
            size += some.size
    scores.append(_probabilities(scorer, piece))
    return np.split(np.concatenate(scores), np.cumsum(counts)[:-1])


def _probabilities(scorer: Scorer, piece: list[Batch]) -> Floats:
    return scorer.predict_proba(joined(piece))[:, POSITIVE].astype(np.float64)
