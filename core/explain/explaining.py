"""Explanations of stored sequences: computed once per model, then kept."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np

from core.batch import Batch
from core.errors import NotFound
from core.explain.profiled import Profiled, profiled
from core.explain.reasons import Reason, reasons
from core.explain.shapley import TOGETHER, Attribution, Told, attribute_many
from core.logs.frames import actions, drop_recut, read_events, read_mapping, read_sequences
from core.model.files import read_json
from core.schema import Column
from core.scoring.engine import Scorer
from core.store import cases, datasets, explanations
from core.store.home import Home
from core.tokens import Tokenizer, check_known

IN_ADVANCE = 500  # cases explained before anybody opens them
PATIENCE = 3.0  # seconds that what others ask for may wait for them


@dataclass(frozen=True)
class Token:
    """One token with its share of the score."""

    token: str
    value: float
    words: str


@dataclass(frozen=True)
class Part:
    """The profile or one event: its tokens and their sum."""

    value: float
    tokens: list[Token]


@dataclass(frozen=True)
class Explanation:
    """``base_value`` plus the values of profile and events is ``score``, within 1e-5."""

    score: float
    base_value: float
    profile: Part
    events: list[Part]
    reasons: list[Reason]
    error: float = 0.0  # how far the sum misses the score
    stability: float = 1.0  # rank correlation of the events between two samples; 1: exact
    evaluations: int = 0  # of the model
    pruned: int = 0  # first events that hardly matter together: they share one value evenly

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries and lists, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> "Explanation":
        """Read what `to_dict` made."""
        return cls(
            value["score"],
            value["base_value"],
            _part(value["profile"]),
            [_part(part) for part in value["events"]],
            [Reason(**reason) for reason in value["reasons"]],
            *(value[name] for name in ("error", "stability", "evaluations", "pruned")),
        )


def explain_sequence(
    home: Home, scorer: Scorer, dataset_id: str, sequence_id: str, *, told: Told | None = None
) -> Explanation:
    """Return why `scorer` gave this sequence its score, computing it the first time only.

    While it is computed, `told` hears the values of the profile and each event, (events + 1,),
    as far as they are known.

    Raises
    ------
    NotFound
        If the data set has no such sequence.
    BadInput
        If the model knows too few of its tokens.
    """
    with home.engine.connect() as con:
        stored = explanations.get(con, scorer.model_id, dataset_id, sequence_id)
    if stored is not None:
        return Explanation.from_dict(stored)
    return _explain(home, scorer, dataset_id, [sequence_id], told=told)[0]


def explain_queue(
    home: Home,
    scorer: Scorer,
    dataset_id: str,
    *,
    first: int = IN_ADVANCE,
    progress: Callable[[float, str], None],
    others_wait: Callable[[], bool] = lambda: False,
) -> bool:
    """Explain the `first` cases of a queue in advance, so that they open at once.

    Their coalitions share the calls of the model; what is explained already stays. Ends early once
    `others_wait`, and says whether it came to its end. As many are explained together as take
    about `PATIENCE`.
    """
    with home.engine.connect() as con:
        queue = cases.queue(con, dataset_id)
        queue = drop_recut(home, dataset_id, queue[queue["model_id"] == scorer.model_id])
        wanted = queue[Column.SEQUENCE].head(first).tolist()
        stored = [explanations.get(con, scorer.model_id, dataset_id, one) for one in wanted]
    missing = [one for one, found in zip(wanted, stored, strict=True) if found is None]
    stored_before, done, size = len(wanted) - len(missing), 0, 1
    while done < len(missing):
        if done > 0 and others_wait():
            return False
        told = stored_before + done
        progress(told / len(wanted), f"explained {told} of {len(wanted)} cases")
        some = missing[done : done + size]
        started = perf_counter()
        _explain(home, scorer, dataset_id, some)
        done += len(some)
        size = max(1, min(TOGETHER, int(len(some) * PATIENCE / (perf_counter() - started))))
    progress(1.0, f"explained {len(wanted)} cases")
    return True


def _explain(
    home: Home,
    scorer: Scorer,
    dataset_id: str,
    sequence_ids: Sequence[str],
    *,
    told: Told | None = None,
) -> list[Explanation]:
    """Explain some sequences together and store what was found, in the order of the ids."""
    tokenizer = scorer.encoder.tokenizer
    usual = np.asarray(read_json(home.model_dir(scorer.model_id) / "usual.json")["share"])
    with home.engine.connect() as con:
        accepted = datasets.get(con, dataset_id).accepted
    batches = read_each(home, scorer, dataset_id, sequence_ids)
    attributions = attribute_many(scorer, batches, told=told)
    found = [
        describe(batch, attribution, tokenizer, usual)
        for batch, attribution in zip(batches, attributions, strict=True)
    ]
    with home.engine.begin() as con:
        for sequence_id, explanation in zip(sequence_ids, found, strict=True):
            key = (scorer.model_id, dataset_id, sequence_id)
            explanations.put(con, *key, explanation.to_dict(), accepted=accepted)
    return found


def describe(
    batch: Batch, attribution: Attribution, tokenizer: Tokenizer, usual: Any
) -> Explanation:
    """Put an attribution into words."""
    sums = attribution.by_event(batch)
    parts: list[list[Token]] = [[] for _ in sums]
    for token, field, event, value in zip(
        batch.ids, batch.field, batch.event, attribution.values, strict=True
    ):
        if field > 0:
            words = tokenizer.sentence(int(token), int(field))
            parts[event].append(Token(tokenizer.tokens[token], float(value), words))
    profile, *events = [Part(float(total), part) for total, part in zip(sums, parts, strict=True)]
    why = reasons(batch, attribution.values, tokenizer, usual)
    how = (attribution.error, attribution.stability, attribution.evaluations, attribution.pruned)
    return Explanation(attribution.score, attribution.base_value, profile, events, why, *how)


def read_each(
    home: Home, scorer: Scorer, dataset_id: str, sequence_ids: Sequence[str]
) -> list[Profiled]:
    """Return sequences as the model reads them, one by one, in the order of the ids.

    With some events hidden, their profiles are of the others: see `core.explain.profiled`.

    Raises
    ------
    NotFound
        If the data set has no such sequence.
    BadInput
        If the model does not know the log.
    """
    some = read_sequences(home, dataset_id, sequences=sequence_ids)
    rows = {one: row for row, one in enumerate(some[Column.SEQUENCE])}
    for one in sequence_ids:
        if one not in rows:
            raise NotFound(f"The data set '{dataset_id}' has no sequence '{one}'.")
    events = read_events(home, dataset_id, sequences=list(sequence_ids))
    mapping, names = read_mapping(home, dataset_id), actions(home, dataset_id)
    # Few events say nothing about shares: whether the columns are the model's does.
    check_known(scorer.encoder.tokenizer, mapping, names, events.iloc[:0], scorer.model_id)
    batch = scorer.encoder.tokenizer.encode(events, some)
    found = profiled(scorer.encoder, batch, events, mapping, names)
    return [found[rows[one]] for one in sequence_ids]


def _part(value: dict[str, Any]) -> Part:
    return Part(value["value"], [Token(**token) for token in value["tokens"]])
