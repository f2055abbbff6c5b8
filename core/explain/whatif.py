"""What if: a sequence edited, its facts recomputed, its score beside the one before.

Facts of scope `actor` and the profile are computed anew, as at import; facts of scope `log` stay as
they were: editing an event does not change what others did. Where a sequence begins and ends stays
too: an edit moves no event into another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.batch import Batch
from core.errors import NotFound
from core.explain.constraints import warnings
from core.explain.edits import ORIGIN, Edits, apply
from core.explain.explaining import Explanation, describe
from core.explain.profiled import profiled
from core.explain.reasons import Reason
from core.explain.shapley import attribute
from core.logs.facts import event_facts
from core.logs.frames import actions, read_events, read_mapping, read_nearest, read_sequences
from core.logs.mapping import Mapping
from core.logs.measuring import measure_actor, measure_sequences
from core.logs.profiles import profile_facts
from core.model.encoder import POSITIVE
from core.model.files import read_json
from core.schema import Column
from core.scoring.engine import Scorer
from core.scoring.resident import Priority
from core.store.home import Home
from core.tokens import check_known

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Experiment:
    """A sequence as it is in its log and the model that scores it, ready for edits."""

    home: Home
    dataset_id: str
    scorer: Scorer
    sequence: pd.DataFrame  # one row
    events: pd.DataFrame  # all of the actor's, in order
    mapping: Mapping
    actions: list[str]
    before: float  # score without edits

    @classmethod
    def read(cls, home: Home, scorer: Scorer, dataset_id: str, sequence_id: str) -> "Experiment":
        """Read a sequence.

        Raises
        ------
        NotFound
            If the data set has no such sequence.
        BadInput
            If the model does not know the log.
        """
        one = read_sequences(home, dataset_id, sequences=[sequence_id])
        if one.empty:
            raise NotFound(f"The data set '{dataset_id}' has no sequence '{sequence_id}'.")
        events = read_events(home, dataset_id, actors=[one[Column.ACTOR].iloc[0]])
        events = events.sort_values([Column.TIME, Column.ROW], ignore_index=True)
        mapping, names = read_mapping(home, dataset_id), actions(home, dataset_id)
        check_known(scorer.encoder.tokenizer, mapping, names, events.iloc[:0], scorer.model_id)
        own = events[events[Column.SEQUENCE] == sequence_id]
        batch = scorer.encoder.tokenizer.encode(own, one)
        before = float(scorer.predict_proba(batch)[0, POSITIVE])
        return cls(home, dataset_id, scorer, one, events, mapping, names, before)

    @property
    def sequence_id(self) -> str:
        """Id of the sequence."""
        return str(self.sequence[Column.SEQUENCE].iloc[0])

    @property
    def own(self) -> pd.DataFrame:
        """The sequence's events, in order."""
        mine = self.events[self.events[Column.SEQUENCE] == self.sequence_id]
        return mine.reset_index(drop=True)

    def run(self, edits: Edits) -> "WhatIf":
        """Return the score of the sequence, edited.

        Raises
        ------
        BadInput
            If the edits cannot be done, or leave nothing or too much.
        """
        events = self.edited(edits)
        odd = warnings(
            edits,
            self.events,
            events,
            self.sequence_id,
            self.mapping,
            self.scorer.encoder.tokenizer,
            actions=self.actions,
        )
        batch, measured = self.encode(events)
        score = float(self.scorer.predict_proba(batch)[0, POSITIVE])
        return WhatIf(score, self.before, odd, measured, batch)

    def edited(self, edits: Edits) -> pd.DataFrame:
        """Return the actor's events, edited; see `core.explain.edits.apply`."""

        def look_up(column: str, value: str, at: pd.Timestamp | None) -> "pd.Series[Any] | None":
            return read_nearest(self.home, self.dataset_id, column, value, at)

        return apply(edits, self.events, self.sequence_id, self.mapping, look_up)

    def encode(
        self, events: pd.DataFrame, versions: Sequence[Rows] | None = None
    ) -> tuple[Batch, pd.DataFrame]:
        """Return versions of the sequence as tokens, and their events with new facts.

        Parameters
        ----------
        events
            All of the actor's, in order.
        versions
            Which of `events` happened in each version, in order (default: one, of all).
        """
        versions = [np.arange(len(events))] if versions is None else versions
        version = np.repeat(np.arange(len(versions)), [len(rows) for rows in versions])
        names = "v" + pd.Series(version).astype(str)
        told = events.take(np.concatenate(versions)).reset_index(drop=True)
        mine = told[Column.SEQUENCE] == self.sequence_id
        position = mine.groupby(version).cumsum() - 1
        # Each version is an actor of its own: so all are measured at once.
        told[Column.ACTOR] = names
        told[Column.SEQUENCE] = names.where(mine)
        told[Column.ROW] = np.arange(1, len(told) + 1)
        told[Column.POSITION] = position.where(mine, told[Column.POSITION])
        measured = measure_actor(told, self.mapping)
        measured = measured[mine].reset_index(drop=True)
        profiles = measure_sequences(measured, self.mapping, self.actions)
        profiles = profiles.set_index(Column.SEQUENCE).loc[names.unique()]
        facts = {str(name): profiles[name].to_numpy() for name in profiles}
        found = self.sequence.take([0] * len(versions)).assign(**facts)
        found = found.astype({Column.EVENTS: np.int64})
        return self.scorer.encoder.tokenizer.encode(measured, found), measured


@dataclass(frozen=True)
class WhatIf:
    """An edited sequence and its score."""

    score: float
    before: float
    warnings: list[str]
    events: pd.DataFrame  # of the sequence, in order, with facts; see `ORIGIN`
    batch: Batch

    @property
    def difference(self) -> float:
        """How far the edits moved the score."""
        return self.score - self.before

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON; an event's `origin` is its position before."""
        return {
            "score": self.score,
            "before": self.before,
            "difference": self.difference,
            "warnings": self.warnings,
            "events": [None if pd.isna(origin) else int(origin) for origin in self.events[ORIGIN]],
        }


def explain(experiment: Experiment, found: WhatIf) -> Explanation:
    """Say why the edited sequence has its score."""
    scorer = experiment.scorer
    folder = experiment.home.model_dir(scorer.model_id)
    usual = np.asarray(read_json(folder / "usual.json")["share"])
    mapping, names = experiment.mapping, experiment.actions
    (one,) = profiled(scorer.encoder, found.batch, found.events, mapping, names)
    attribution = attribute(scorer.at(Priority.EXPLANATION), one)
    return describe(one, attribution, scorer.encoder.tokenizer, usual)


@dataclass(frozen=True)
class ChangedReason:
    """A reason before and after; None where it is not among the strongest."""

    text: str
    before: float | None
    after: float | None


def changed_reasons(before: Sequence[Reason], after: Sequence[Reason]) -> list[ChangedReason]:
    """Return the reasons of both, what moved most first."""
    was = {reason.token: reason for reason in before}
    now = {reason.token: reason for reason in after}
    found = []
    for token in dict.fromkeys([*was, *now]):
        old, new = was.get(token), now.get(token)
        shown = new or old
        assert shown is not None
        values = (None if one is None else one.value for one in (old, new))
        found.append(ChangedReason(shown.text, *values))
    return sorted(found, key=lambda one: -abs((one.after or 0.0) - (one.before or 0.0)))


def frozen_facts(mapping: Mapping, names: Sequence[str]) -> list[str]:
    """Return the facts that an edit does not change, in words: those about others."""
    facts = [*event_facts(mapping), *profile_facts(mapping, names)]
    said = (fact.words.replace("{value}", "").strip() for fact in facts if fact.scope == "log")
    return [" ".join(words.split()) for words in said]
