"""The few sentences that say what moved a score most."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.batch import Batch
from core.tokens import Tokenizer

MOST = 5
COMMON = 0.95  # what nearly every sequence has is no reason, even where it earned some credit


@dataclass(frozen=True)
class Reason:
    """One fact about the sequence and how far it moved the score."""

    text: str
    value: float  # share of the score; positive is towards abuse
    event: int | None  # position of the event it is strongest in; None for the whole sequence
    token: str


def reasons(
    batch: Batch,
    values: npt.NDArray[np.float64],
    tokenizer: Tokenizer,
    usual: npt.NDArray[np.float64],
) -> list[Reason]:
    """Return the strongest facts, equal tokens of several events taken together.

    Parameters
    ----------
    values
        Attribution of each token, (T,).
    usual
        Share of training sequences that contain each token of the vocabulary, (V,).
    """
    total = np.bincount(batch.ids, weights=values, minlength=len(tokenizer))
    total[usual >= COMMON] = 0
    strongest = np.argsort(-np.abs(total), kind="stable")[:MOST]
    found = []
    for token in strongest:
        if total[token] == 0:
            continue
        places = np.flatnonzero(batch.ids == token)
        sentence = tokenizer.sentence(int(token), int(batch.field[places[0]]))
        place = places[np.argmax(np.abs(values[places]))]
        event = None if batch.event[place] == 0 else int(batch.event[place]) - 1
        events = len(np.unique(batch.event[places]))
        times = f" in {events} events" if events > 1 else ""
        text = (
            f"{sentence[0].upper()}{sentence[1:]}{times} (usual: {usual[token]:.0%} of sequences)"
        )
        found.append(Reason(text, float(total[token]), event, tokenizer.tokens[token]))
    return found
