"""Sequences whose profiles follow from their events: what is hidden is hidden from the profile too.

Most of what a profile says sums up the events. Were it to stay as it is while events are hidden, it
would still tell of them, and the score would hardly move: of two orders in a suspicious hour
neither would count. So the profile of a coalition is measured anew, as at import, from those events
of which at least one token is shown. Facts of these events stay as they were, and so do facts that
compare with other sequences. Where no event is shown nothing is summed up: that part of the profile
is hidden.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.batch import MASK, Batch
from core.fields import Ids
from core.logs.mapping import Mapping
from core.logs.measuring import events_of, summed_up
from core.logs.per_sequence import Sequences
from core.logs.profiles import profile_facts
from core.model.encoder import Encoder
from core.schema import Column
from core.tokens import Tokenizer

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Profiled(Batch):
    """One sequence, and what measures its profile from some of its events."""

    reads: Flags  # (T,): tokens that can move the score; no others are ever hidden
    number: int  # of its events in `profiles`
    profiles: "Profiles"

    def hidden_in_turn(self, chosen: Flags) -> Batch:
        """Return the sequence as often as `chosen`, (C, T), has rows, each row's tokens hidden.

        Events of which all that is read is hidden are hidden from the profile too.
        """
        copies = super().hidden_in_turn(chosen)
        starts = np.flatnonzero(np.diff(self.event, prepend=-1))  # of the profile and each event
        shown = np.logical_or.reduceat(~chosen & self.reads, starts, axis=1)
        shown |= ~np.logical_or.reduceat(self.reads, starts)
        partly = np.flatnonzero(~shown[:, 1:].all(axis=1))
        if len(partly):
            ids = copies.ids.reshape(chosen.shape)
            own = slice(1, starts[1])  # after [CLS]
            measured = self.profiles.encode(self.number, shown[partly, 1:], self.ids[own])
            stays = chosen[partly, own] | ~self.reads[own]
            ids[partly, own] = np.where(stays, ids[partly, own], measured)
        return copies


class Profiles:
    """Measures profiles of some sequences from some of their events; threads may share one.

    Parameters
    ----------
    events
        Of the sequences, one after the other, with their facts.
    """

    def __init__(
        self, tokenizer: Tokenizer, events: pd.DataFrame, mapping: Mapping, actions: Sequence[str]
    ) -> None:
        self._tokenizer = tokenizer
        self._mapping = mapping
        self._actions = actions
        columns = [field.column for field in tokenizer.fields if field.level == "profile"]
        facts = profile_facts(mapping, actions)
        summed_up = [fact.name for fact in facts if fact.scope == "sequence"]
        self._summed_up = np.isin(columns, summed_up)  # (P,)
        self._events = events_of(events, mapping)
        sizes = np.bincount(pd.factorize(events[Column.SEQUENCE])[0])
        self._first = np.cumsum(sizes) - sizes  # event of each sequence

    def encode(self, number: int, shown: Flags, whole: Ids) -> Ids:
        """Return the tokens of a sequence's profile with only some of its events, (C, P).

        Parameters
        ----------
        number
            Of the sequence.
        shown
            Which of its events are there, (C, events).
        whole
            The tokens with all of them, (P,).
        """
        distinct, place = np.unique(shown, axis=0, return_inverse=True)
        found = np.tile(np.where(self._summed_up, MASK, whole), (len(distinct), 1))
        some = distinct.any(axis=1)
        if some.any():
            _, event = np.nonzero(distinct)
            sizes = distinct.sum(axis=1)[some]
            coalitions = Sequences(self._events, self._first[number] + event, sizes)
            facts = summed_up(coalitions, self._mapping, self._actions)
            tokens = self._tokenizer.encode_profiles(pd.DataFrame(facts))
            found[some] = np.where(self._summed_up, tokens, whole)
        return found[place.ravel()]


def profiled(
    encoder: Encoder,
    batch: Batch,
    events: pd.DataFrame,
    mapping: Mapping,
    actions: Sequence[str],
) -> list[Profiled]:
    """Return the sequences of `batch` one by one; `events` are all of theirs, with their facts."""
    profiles = Profiles(encoder.tokenizer, events, mapping, actions)
    found = []
    for number in range(len(batch)):
        one = batch.take([number])
        parts = (one.ids, one.field, one.event, one.offsets, encoder.reads(one))
        found.append(Profiled(*parts, number, profiles))
    return found
