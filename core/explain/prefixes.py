"""The score after each event: what the model would have said while the sequence still went on.

Facts of an event come from what happened up to it, so a prefix has the event tokens of its events;
the facts of its profile are computed from the prefix alone. Facts of the profile that compare with
other sequences (how often a pattern occurs) stay hidden from the model: they are known only at the
end. Without times, facts about others come from the whole log.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.batch import Batch
from core.logs.frames import actions, read_events, read_mapping
from core.logs.mapping import Mapping
from core.logs.measuring import measure_sequences
from core.logs.profiles import profile_facts
from core.model.encoder import POSITIVE
from core.schema import Column
from core.scoring.engine import Scorer
from core.store.home import Home
from core.tokens import Tokenizer

MOST = 128  # prefixes scored at first; of a longer sequence evenly spread ones
EVENTS = 60_000  # of all these prefixes together, about: fewer of a sequence of thousands


@dataclass(frozen=True)
class PrefixScores:
    """Scores of P prefixes, the whole sequence last."""

    events: list[int]  # of each prefix, (P,), rising
    score: list[float]  # (P,)
    threshold: float
    tipping: int | None  # events of the first prefix at or above the threshold

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries and lists, ready for JSON."""
        return asdict(self)


def prefix_scores(
    home: Home, scorer: Scorer, dataset_id: str, sequence_id: str, threshold: float
) -> PrefixScores:
    """Score the prefixes of a stored sequence in one batch.

    Of a sequence of more than `MOST` events evenly spread prefixes are scored, then all between the
    first of them that reaches `threshold` and the one before.
    """
    events = read_events(home, dataset_id, sequences=[sequence_id])
    mapping, names = read_mapping(home, dataset_id), actions(home, dataset_id)

    def score(lengths: list[int]) -> dict[int, float]:
        batch = encode_prefixes(prefixes(events, lengths), scorer.encoder.tokenizer, mapping, names)
        found = scorer.predict_proba(batch)[:, POSITIVE].tolist()
        return dict(zip(lengths, found, strict=True))

    return _tipping(score, len(events), threshold)


def _tipping(
    score: Callable[[list[int]], dict[int, float]], length: int, threshold: float
) -> PrefixScores:
    first = spread(length, min(MOST, 2 * EVENTS // length))
    known = score(first)
    if (after := _reached(known, threshold)) is not None:
        before = max([n for n in first if n < after], default=0)
        if between := list(range(before + 1, after)):
            known |= score(between)
    known = dict(sorted(known.items()))
    return PrefixScores(list(known), list(known.values()), threshold, _reached(known, threshold))


def _reached(known: dict[int, float], threshold: float) -> int | None:
    return min((length for length, score in known.items() if score >= threshold), default=None)


def spread(length: int, most: int) -> list[int]:
    """Return at most `most` lengths of prefixes, evenly spread over 1 to `length`."""
    lengths = np.unique(np.linspace(1, length, min(length, most)).round())
    return [int(number) for number in lengths]


def prefixes(events: pd.DataFrame, lengths: Sequence[int]) -> pd.DataFrame:
    """Return the events of prefixes of one sequence, each a sequence of its own."""
    name = events[Column.SEQUENCE].iloc[0]
    parts = [events.head(n).assign(**{Column.SEQUENCE: f"{name}:{n}"}) for n in lengths]
    return pd.concat(parts, ignore_index=True)


def encode_prefixes(
    found: pd.DataFrame, tokenizer: Tokenizer, mapping: Mapping, names: list[str]
) -> Batch:
    """Return the tokens of prefixes, in their order; what only the end tells is hidden."""
    measured = measure_sequences(found, mapping, names).set_index(Column.SEQUENCE)
    measured = measured.loc[found[Column.SEQUENCE].unique()].reset_index()
    measured[Column.EVENTS] = measured[Column.EVENTS].astype(np.int64)
    batch = tokenizer.encode(found, measured)
    return batch.hidden(np.isin(batch.field, _known_at_the_end(tokenizer, mapping, names)))


def _known_at_the_end(
    tokenizer: Tokenizer, mapping: Mapping, names: list[str]
) -> npt.NDArray[np.int64]:
    """Return the numbers of the profile's fields that compare with other sequences."""
    unknown = {fact.name for fact in profile_facts(mapping, names) if fact.scope == "log"}
    numbers = [
        number
        for number, field in enumerate(tokenizer.fields, start=1)
        if field.level == "profile" and field.column in unknown
    ]
    return np.array(numbers, dtype=np.int64)
