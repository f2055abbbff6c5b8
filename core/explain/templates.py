"""The words of reasons: one table of templates by kind of token, and one of comparisons.

With a change of words `core.store.explanations.VERSION` is raised: what was told before is told
anew.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from core.fields import MISSING, RELATIVE_CAP, Field
from core.tokens import Tokenizer

FACTS: Final = {  # kinds not named here have words of their own (`Field.words`)
    "relative": "the {place} different {name} of the sequence",
    "text": "{name} has “{value}”",
}
COUNTED: Final = "{fact} in {duration}"  # how often an action occurs, with the time it took
SEVERAL: Final = "{fact}, in {events} events"
COMPARISONS: Final = {
    "at most": "{share} of sequences have at most {edge}",
    "at least": "{share} of sequences have at least {edge}",
    "some": "{share} of sequences have this",
    "hardly": "fewer than 1 % of sequences have this",
    "never": "no sequence the model learned from has this",
}
MOST_SEQUENCES: Final = 0.95
ORDERED: Final = ("count", "seconds", "ratio", "number")
Shares = npt.NDArray[np.float64]


def say(
    tokenizer: Tokenizer, token: int, field: int, *, events: int = 1, duration: str = ""
) -> str:
    """Say a token as a fact.

    Parameters
    ----------
    events
        In how many events of the sequence it occurs.
    duration
        How long the sequence took, if that is known.
    """
    of = tokenizer.fields[field - 1]
    name, value = of.name.replace("_", " "), tokenizer.tokens[token].removeprefix(of.name)[1:]
    if of.kind in FACTS and value != "missing":
        fact = FACTS[of.kind].format(
            name=name, value=value.removeprefix("##"), place=_place(value.removeprefix("#"))
        )
    else:
        fact = tokenizer.sentence(token, field)
    if of.level == "profile" and of.name.startswith("count_") and duration:
        fact = COUNTED.format(fact=fact, duration=duration)
    if events > 1:
        fact = SEVERAL.format(fact=fact, events=events)
    return fact[0].upper() + fact[1:]


def compare(tokenizer: Tokenizer, token: int, field: int, usual: Shares) -> str:
    """Say how usual a token is.

    Numbers of a whole sequence are set against what most sequences have.

    Parameters
    ----------
    usual
        Share of the training sequences that contain each token of the vocabulary, (V,).
    """
    of, start = tokenizer.fields[field - 1], tokenizer.starts[field - 1]
    within = token - start
    if of.level == "profile" and of.kind in ORDERED and within != MISSING and len(of.edges) > 1:
        share = usual[start + 1 : tokenizer.ends[field - 1]]  # one bin per sequence
        against = _against(of, share / max(share.sum(), 1e-9), within - 1)
        if against:
            return against
    alike = float(usual[token])
    if alike == 0:
        return COMPARISONS["never"]
    if alike < 0.01:
        return COMPARISONS["hardly"]
    return COMPARISONS["some"].format(share=_percent(alike))


def _against(field: Field, share: Shares, own: int) -> str:
    """Compare bin `own` with the bins that most sequences lie in; empty if it is among them."""
    up_to = np.cumsum(share)
    high = int(np.argmax(up_to >= MOST_SEQUENCES))  # last of the lowest bins that hold most
    if high < own and up_to[high] >= MOST_SEQUENCES:
        edge = field.edge(max(high - field.discrete, 0), last=True)
        return COMPARISONS["at most"].format(share=_percent(up_to[high]), edge=edge)
    from_ = np.cumsum(share[::-1])[::-1]
    low = int(np.flatnonzero(from_ >= MOST_SEQUENCES).max(initial=0))
    if low > own:
        return COMPARISONS["at least"].format(share=_percent(from_[low]), edge=field.edge(low - 1))
    return ""


def _percent(share: float) -> str:
    """Say a share in percent; only all is 100 %."""
    return f"{min(int(share * 100 + 0.5), 100 if share > 0.9999 else 99)} %"


def _place(number: str) -> str:
    """Say a place in a row: 1 is 1st."""
    if not number.isdigit():
        return number
    place = int(number)
    ending = {1: "st", 2: "nd", 3: "rd"}.get(place if place < 4 else 0, "th")
    return f"{place}{ending}{' or later' if place == RELATIVE_CAP else ''}"
