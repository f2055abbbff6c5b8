"""The ways in which Spoor perturbs a log: which fit it, and its sequences perturbed and remeasured.

Facts of scope `actor` and the profile are computed anew, as at import. Facts of scope `log` stay:
what others did is not changed by what one actor does, and the few of a profile that need the whole
log (how often its pattern occurs) are taken as they were.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.batch import Batch
from core.errors import BadInput
from core.govern.log import Log
from core.logs.fact import entity_columns, numeric_columns
from core.logs.facts import event_facts
from core.logs.frames import read_events
from core.logs.mapping import Mapping as LogMapping
from core.logs.mapping import extra_columns
from core.logs.measuring import measure_actor, measure_sequences
from core.model import perturb
from core.schema import Column
from core.store.home import Home
from core.tokens import Tokenizer

Perturb = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]

SMALL: Final = ("drop_event", "jitter_gaps", "swap_items", "pad_views")
CAMOUFLAGE: Final = (0.1, 0.25, 0.5, 0.75)  # shares of normal events in what abuse becomes
PAD_SHARE: Final = 0.1
DONORS: Final = 500  # legitimate units whose events serve as normal behaviour
_HARMLESS: Final = ("view", "browse", "impression", "visit", "search")


@dataclass(frozen=True)
class Perturbations:
    """What can be done to the sequences of one log."""

    small: dict[str, Perturb]
    missing: dict[str, str]  # small ones that do not fit, and why
    camouflage: Callable[[float], Perturb]
    harmless: str  # the action that `pad_views` inserts

    @classmethod
    def of(
        cls, mapping: LogMapping, normal: pd.DataFrame, wanted: Sequence[str] | None = None
    ) -> "Perturbations":
        """Say what fits a log, given events of normal actors.

        Raises
        ------
        BadInput
            If `wanted` names a perturbation that does not exist.
        """
        if unknown := sorted(set(wanted or ()) - set(SMALL)):
            raise BadInput(
                f"There is no perturbation '{unknown[0]}'. Accepted: {', '.join(SMALL)}."
            )
        harmless = _harmless(normal[Column.ACTION])
        views = normal[normal[Column.ACTION] == harmless]
        price = [Column.AMOUNT] if mapping.roles.amount else numeric_columns(mapping)
        padded = partial(perturb.pad, constant=_about_entities(mapping))
        known: dict[str, Perturb] = {
            "drop_event": perturb.drop_event,
            "jitter_gaps": perturb.jitter_gaps,
            "swap_items": partial(
                perturb.swap_items, price=price, with_item=_with_item(mapping, normal)
            ),
            "pad_views": partial(padded, donors=views, share=PAD_SHARE),
        }
        missing = {} if mapping.roles.time else {"jitter_gaps": "the log has no times"}
        if mapping.roles.item is None or not price:
            missing["swap_items"] = "the log has no items with prices or other numbers"
        return cls(
            {n: known[n] for n in wanted or SMALL if n not in missing},
            {n: why for n, why in missing.items() if n in (wanted or SMALL)},
            lambda share: partial(padded, donors=normal, share=share),
            harmless,
        )


def normal_events(home: Home, log: Log, *, split: str, seed: int) -> pd.DataFrame:
    """Return events of some legitimate units of `split`, or of any if it has none."""
    assert log.bags is not None
    bags = log.bags
    legitimate = np.flatnonzero((bags.label == 0) & (bags.split == split))
    if not len(legitimate):
        legitimate = np.flatnonzero(bags.label == 0)
    chosen = np.random.default_rng(seed).permutation(legitimate)[:DONORS]
    ids = log.sequences[Column.SEQUENCE].iloc[bags.take(chosen).rows]
    return read_events(home, log.dataset_id, sequences=list(ids))


def remeasured(
    events: pd.DataFrame, sequences: pd.DataFrame, mapping: LogMapping, actions: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return perturbed events of whole actors with their facts, and their sequences.

    A sequence grown longer than the log's limit goes on in a further one, as at import; the index
    of the sequences returned is the row in `sequences` of the one they came from.

    Parameters
    ----------
    sequences
        Those of the events before, one row each.
    """
    pieces, origin = perturb.cut(events, mapping.sequence.max_events)
    measured = measure_actor(pieces, mapping)
    profiles = measure_sequences(measured, mapping, actions).set_index(Column.SEQUENCE)
    profiles = profiles.loc[origin.index]
    before = pd.Series(sequences.index, index=sequences[Column.SEQUENCE]).loc[origin]
    found = sequences.loc[before].assign(**{Column.SEQUENCE: origin.index})
    found = found.assign(**{str(name): profiles[name].to_numpy() for name in profiles})
    return measured, found.astype({Column.EVENTS: np.int64})


def encoded(
    events: pd.DataFrame,
    sequences: pd.DataFrame,
    mapping: LogMapping,
    actions: Sequence[str],
    tokenizer: Tokenizer,
) -> tuple[Batch, npt.NDArray[np.int64]]:
    """Return perturbed sequences as tokens, and the row in `sequences` each came from."""
    measured, found = remeasured(events, sequences, mapping, actions)
    return tokenizer.encode(measured, found), found.index.to_numpy()


def changed(before: pd.DataFrame, after: pd.DataFrame) -> set[str]:
    """Return the ids of sequences in which something happens that did not before."""
    told = [Column.POSITION, Column.TIME, Column.ACTION, Column.ITEM]
    sums = []
    for events in (before, after):
        hashes = pd.util.hash_pandas_object(events[told], index=False)
        sums.append(hashes.groupby(events[Column.SEQUENCE].to_numpy()).sum())
    first, second = sums
    return set(second.index[second != first.reindex(second.index)])


def _harmless(actions: "pd.Series[str]") -> str:
    """Return the action that only looks, or else the commonest."""
    common = actions.value_counts()
    looks = [name for name in common.index if any(word in str(name).lower() for word in _HARMLESS)]
    return str((looks or list(common.index))[0])


def _log_facts(mapping: LogMapping) -> list[str]:
    return [fact.name for fact in event_facts(mapping) if fact.scope == "log"]


def _about_entities(mapping: LogMapping) -> Mapping[str, list[str]]:
    """Return each entity column with the facts about it that depend on others."""
    facts = _log_facts(mapping)
    return {
        entity: [
            entity,
            *(name for name in facts if name in (f"{entity}_actors", f"{entity}_seen")),
        ]
        for entity in entity_columns(mapping)
    }


def _with_item(mapping: LogMapping, events: pd.DataFrame) -> list[str]:
    """Return the columns that belong to an item: facts about it, and what it never changes."""
    if mapping.roles.item is None:
        return []
    of_entities = {name for names in _about_entities(mapping).values() for name in names}
    extras = [name for name, kind in extra_columns(mapping).items() if kind != "entity"]
    values = events.groupby(Column.ITEM)[extras].nunique() if extras else pd.DataFrame()
    steady = [name for name in extras if (values[name] <= 1).all()]
    return steady + [name for name in _log_facts(mapping) if name not in of_entities]


def each(found: Perturbations) -> Iterator[tuple[str, float | None, Perturb]]:
    """Give every perturbation: its name, its share of normal events (or None), and what it does."""
    for name, small in found.small.items():
        yield name, None, small
    for share in CAMOUFLAGE:
        yield "camouflage", share, found.camouflage(share)
