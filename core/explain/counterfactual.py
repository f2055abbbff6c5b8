"""What would clear a case, and what alone keeps it flagged: the fewest events found for either.

Guided search for a sparse counterfactual (Wachter, Mittelstadt & Russell, "Counterfactual
Explanations without Opening the Black Box", 2017) and a sufficient subset (Carter et al., "What
made you do this? Understanding black-box decisions with sufficient input subsets", AISTATS 2019):
events are taken in the order of their attribution until the goal is reached, then given back one by
one as long as it stays reached. Every round is one query and one `predict_proba` call. Where all
smaller sets fit into the budget they are tried too, so that "fewest" is proven.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from math import comb
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.explain.edits import Edits
from core.explain.naming import events_in_words
from core.explain.whatif import Experiment
from core.model.encoder import POSITIVE
from core.schema import Column
from core.scoring.resident import Priority

Floats = npt.NDArray[np.float64]
Events = tuple[int, ...]  # positions in the sequence, ascending
Score = Callable[[list[Events]], Floats]

BUDGET: Final = 1000  # versions scored for each of the two questions
ROWS_AT_ONCE: Final = 40_000  # events measured in one query
STEPS: Final = 32  # sizes tried on the way along the order of attribution


@dataclass(frozen=True)
class Answer:
    """A set of events that reaches the goal; without `events` none was found."""

    events: list[int] | None  # positions in the sequence
    score: float  # with the goal reached, or as near to it as the search came
    proven: bool  # no smaller set reaches the goal; without `events`: none at all does
    words: str


@dataclass(frozen=True)
class Counterfactual:
    """The fewest events without which a sequence passes, and the fewest that keep it flagged."""

    score: float
    threshold: float
    without: Answer | None  # None for a sequence that passes anyway
    alone: Answer | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries and lists, ready for JSON."""
        return asdict(self)


def find_counterfactual(
    experiment: Experiment,
    threshold: float,
    *,
    attribution: Sequence[float] | None = None,
    budget: int = BUDGET,
) -> Counterfactual:
    """Search for the events that decide on which side of `threshold` a sequence is.

    Parameters
    ----------
    attribution
        Of each event, (events,); without it, what leaving each out does to the score.
    budget
        Versions of the sequence scored at most, for each of the two questions.
    """
    before, told = experiment.before, experiment.own
    if before < threshold:
        return Counterfactual(before, threshold, None, None)
    everything = range(len(told))

    def score_without(removed: list[Events]) -> Floats:
        return _scores(experiment, [_without(everything, events) for events in removed])

    def score_alone(kept: list[Events]) -> Floats:
        return _scores(experiment, kept)

    guide = None if attribution is None else np.asarray(attribution, dtype=float)
    without = _Search(len(told), score_without, lambda s: s < threshold, -1, budget, guide)
    alone = _Search(len(told), score_alone, lambda s: s >= threshold, 1, budget, guide)
    return Counterfactual(
        before,
        threshold,
        _say_without(without.run(len(told) - 1), told),
        _say_alone(alone.run(len(told)), told),
    )


def as_edits(answer: Answer, events: int, *, alone: bool = False) -> Edits:
    """Return the edits that leave the answer's events out or, with `alone`, all others."""
    chosen = tuple(answer.events or ())
    return Edits(delete=list(_without(range(events), chosen) if alone else chosen))


@dataclass(frozen=True)
class _Found:
    """The best set of a search; `reached` says whether it is a solution."""

    events: Events
    score: float
    reached: bool
    proven: bool


class _Search:
    """Looks for the smallest set of events whose score reaches a goal.

    Parameters
    ----------
    score, reached
        Sets of events -> scores; scores -> whether they reach the goal.
    sign
        1 where a higher score is nearer to the goal, -1 where a lower one is.
    guide
        Attribution of each event, (events,), if known.
    """

    def __init__(
        self,
        events: int,
        score: Score,
        reached: Callable[[Floats], npt.NDArray[np.bool_]],
        sign: int,
        budget: int,
        guide: Floats | None,
    ) -> None:
        self._events, self._score, self._reached = events, score, reached
        self._sign, self._budget, self._guide = sign, budget, guide
        self._known: dict[Events, float] = {}

    def run(self, most: int) -> _Found:
        """Return a set of at most `most` events, no event of which can be spared."""
        singles = [(place,) for place in range(self._events)] if most else []
        if found := self._try(singles):
            return self._found(found[0], proven=len(self._known) == self._events)
        orders = [self._by_single()]
        if self._guide is not None:
            orders.append([int(place) for place in np.argsort(-self._guide, kind="stable")])
        prefixes = [tuple(sorted(order[:size])) for order in orders for size in _sizes(most, STEPS)]
        found = sorted(self._try(prefixes), key=len)
        if not found:
            everything = range(self._events)
            found = self._try([_without(everything, (place,)) for place in everything])
        if not found:
            return self._exhausted(most)
        best = self._pruned(self._between(orders, found[0]))
        best = self._grown(len(best)) or best
        for size in range(2, len(best)):
            if not self._affords(comb(self._events, size)):
                return self._found(best, proven=False)
            if smaller := self._try(list(combinations(range(self._events), size))):
                return self._found(smaller[0], proven=True)
        return self._found(best, proven=True)

    def _try(self, sets: Sequence[Events]) -> list[Events]:
        """Score `sets`, as far as the budget goes; return those that reach the goal, best first."""
        new = [one for one in dict.fromkeys(sets) if one not in self._known]
        new = new[: max(0, self._budget - len(self._known))]
        if new:
            self._known |= dict(zip(new, self._score(new).tolist(), strict=True))
        tried = [one for one in dict.fromkeys(sets) if one in self._known]
        scores = np.array([self._known[one] for one in tried], dtype=np.float64)
        order = np.argsort(-self._sign * scores, kind="stable")
        reached = self._reached(scores)
        return [tried[place] for place in order if reached[place]]

    def _affords(self, more: int) -> bool:
        return len(self._known) + more <= self._budget

    def _found(self, events: Events, *, proven: bool) -> _Found:
        return _Found(events, self._known[events], True, proven)

    def _by_single(self) -> list[int]:
        """Return the events in the order of what each does by itself."""
        unknown = -self._sign * np.inf
        scores = [self._known.get((place,), unknown) for place in range(self._events)]
        order = np.argsort(-self._sign * np.array(scores), kind="stable")
        return [int(place) for place in order]

    def _between(self, orders: list[list[int]], found: Events) -> Events:
        """Return the shortest beginning of an order that reaches the goal, up to `found`."""
        shorter = [
            tuple(sorted(order[:size]))
            for order in orders
            for size in range(len(found) // 2 + 1, len(found))
        ]
        return min([*self._try(shorter[-STEPS:]), found], key=len)

    def _pruned(self, best: Events) -> Events:
        """Give back events as long as the goal stays reached, several at once where that works."""
        while len(best) > 1:
            spared = [_without(best, (place,)) for place in best]
            still = self._try(spared)
            if not still:
                return best
            easy = [next(iter(set(best) - set(one))) for one in still]
            several = [_without(best, easy[:size]) for size in _sizes(len(easy), 8)]
            best = min(self._try([one for one in several if one]), key=len)
        return best

    def _grown(self, size: int) -> Events | None:
        """Add the event that brings most, again and again; None if `size` events are not enough."""
        chosen: Events = ()
        while len(chosen) + 1 < size:
            grown = [
                tuple(sorted((*chosen, place)))
                for place in range(self._events)
                if place not in chosen
            ]
            if not self._affords(len(grown)):
                return None
            if reached := self._try(grown):
                return reached[0]
            chosen = max(grown, key=lambda one: self._sign * self._known[one])
        return None

    def _exhausted(self, most: int) -> _Found:
        """Try all sets if there are few; else return the nearest that was tried."""
        every = sum(comb(self._events, size) for size in range(1, most + 1))
        if few := self._affords(every):
            sizes = range(1, most + 1)
            sets = [one for size in sizes for one in combinations(range(self._events), size)]
            if found := self._try(sets):
                return self._found(min(found, key=len), proven=True)
        nearest = max(self._known, key=lambda one: self._sign * self._known[one], default=())
        score = self._known.get(nearest, float("nan"))
        return _Found(nearest, score, reached=False, proven=few)


def _sizes(most: int, steps: int) -> list[int]:
    """Return sizes from 1 to `most`, denser at the beginning."""
    if most < 1:
        return []
    return [int(size) for size in np.unique(np.geomspace(1, most, steps).round())]


def _without(events: Sequence[int], removed: Sequence[int]) -> Events:
    left_out = set(removed)
    return tuple(event for event in events if event not in left_out)


def _scores(experiment: Experiment, kept: list[Events]) -> Floats:
    """Return the score of the sequence with only some of its events, for each choice, (N,)."""
    events = experiment.events
    mine = np.flatnonzero(events[Column.SEQUENCE] == experiment.sequence_id)
    # What came later changes no fact of what came before.
    history = np.setdiff1d(np.arange(mine[-1]), mine)
    versions = [np.sort(np.concatenate([history, mine[list(choice)]])) for choice in kept]
    size = max(1, ROWS_AT_ONCE // (len(history) + len(mine)))
    parts = []
    for first in range(0, len(versions), size):
        batch, _ = experiment.encode(events, versions[first : first + size])
        parts.append(experiment.scorer.at(Priority.EXPLANATION).predict_proba(batch)[:, POSITIVE])
    return np.concatenate(parts).astype(np.float64)


def _say_without(found: _Found, told: pd.DataFrame) -> Answer:
    if not found.reached:
        if not found.events:
            words = "It has one event only: there is nothing to leave out."
        elif found.proven:
            words = f"Whatever is left out, it stays flagged ({found.score:.3f} at least)."
        else:
            words = (
                "No events were found whose removal clears it: the nearest try scores "
                f"{found.score:.3f}."
            )
        return Answer(None, found.score, found.proven, words)
    which = events_in_words(told.iloc[list(found.events)], "this", "these")
    words = f"Without {which} it would pass ({found.score:.3f}).{_how_sure(found)}"
    return Answer(list(found.events), found.score, found.proven, words)


def _say_alone(found: _Found, told: pd.DataFrame) -> Answer:
    if not found.reached:  # rounding: the whole sequence, scored again, misses by a hair
        return Answer(None, found.score, found.proven, "No part of it was found to be flagged.")
    if len(found.events) == len(told) > 1:
        words = f"It takes all {len(told)} events together to flag it.{_how_sure(found)}"
    else:
        which = events_in_words(told.iloc[list(found.events)], "this", "these")
        verb = "keeps" if len(found.events) == 1 else "keep"
        words = f"{which[0].upper()}{which[1:]} alone {verb} it flagged ({found.score:.3f})."
        words += _how_sure(found)
    return Answer(list(found.events), found.score, found.proven, words)


def _how_sure(found: _Found) -> str:
    if len(found.events) == 1:
        return ""
    return " No fewer would do." if found.proven else " Fewer may do: not all were tried."
