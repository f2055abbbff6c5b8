"""The few sentences that say what moved a score most."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from core.batch import Batch
from core.explain.templates import compare, say
from core.tokens import Tokenizer

MOST: Final = 5
COMMON: Final = 0.95  # what nearly every sequence has is no reason, even where it earned credit
DURATION: Final = "duration"  # name of the fact


@dataclass(frozen=True)
class Reason:
    """One fact about the sequence and how far it moved the score."""

    text: str
    value: float  # share of the score; positive is towards abuse
    event: int | None  # position of the event it is strongest in; None for the whole sequence
    token: str
    direction: str = ""  # "raises" or "lowers"


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
    lasted = _duration(batch, tokenizer)
    found = []
    for token in strongest[total[strongest] != 0].tolist():
        places = np.flatnonzero(batch.ids == token)
        field = int(batch.field[places[0]])
        place = places[np.argmax(np.abs(values[places]))]
        event = None if batch.event[place] == 0 else int(batch.event[place]) - 1
        events = len(np.unique(batch.event[places]))
        fact = say(tokenizer, token, field, events=events, duration=lasted)
        text = f"{fact}; {compare(tokenizer, token, field, usual)}"
        value = float(total[token])
        direction = "raises" if value > 0 else "lowers"
        found.append(Reason(text, value, event, tokenizer.tokens[token], direction))
    return found


def _duration(batch: Batch, tokenizer: Tokenizer) -> str:
    """Return how long the sequence took, as its profile says; empty if it does not."""
    numbers = [
        number
        for number, field in enumerate(tokenizer.fields, start=1)
        if field.level == "profile" and field.name == DURATION
    ]
    for place in np.flatnonzero(np.isin(batch.field, numbers)):
        field = tokenizer.fields[int(batch.field[place]) - 1]
        return str(field.spoken(tokenizer.tokens[int(batch.ids[place])]))
    return ""
