"""Why a sequence has its score, worked out in the background while the page stands.

A page that computes for seconds is never whole: Streamlit keeps the buttons of the cases before it
alive, with their keys, until a run of the page has ended. So the page draws what is known, ends,
and draws again when more is known.
"""

import threading
import time
from copy import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.errors import SpoorError
from core.store import explanations
from core.store.home import Home
from pages._common import events_held, home, scorer
from pages._words import text

if TYPE_CHECKING:
    from core.scoring.engine import Scorer

PENDING = ":material/hourglass_top:"  # begins what is said of what is still to come
LOOK = 0.3  # seconds between two looks at what became known
RETRY = 20.0  # seconds after which what went wrong is tried again
PATIENCE = 10.0  # seconds nobody looked: whoever asked has gone on to another case


class _NobodyLooks(Exception):
    """The analyst has gone on."""


@dataclass
class Work:
    """What is known of one sequence's score so far, shared by all who look at it."""

    model_id: str
    dataset_id: str
    sequence_id: str
    threshold: float
    why: dict[str, Any] | None = None  # as `Explanation.to_dict` makes it
    estimate: list[float] | None = None  # value of each event, as far as known
    prefixes: dict[str, Any] = field(default_factory=dict)  # as `PrefixScores.to_dict` makes it
    error: Exception | None = None
    failed: float = 0.0  # when, by the monotonic clock
    steps: int = 0  # how often more became known
    _looked: float = 0.0
    _thread: threading.Thread | None = None
    _starting: threading.Lock = field(default_factory=threading.Lock)

    @property
    def done(self) -> bool:
        """Nothing more will be known."""
        return bool(self.prefixes) or self.error is not None

    def go_on(self, home: Home, scorer: "Scorer") -> None:
        """Work on, or begin, for whoever looks now."""
        self._looked = time.monotonic()
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, args=(home, scorer), daemon=True)
                self._thread.start()

    def fail(self, error: Exception) -> None:
        """Keep what went wrong, for whoever looks."""
        self.error, self.failed = error, time.monotonic()
        self.steps += 1

    def _run(self, home: Home, scorer: "Scorer") -> None:
        from core.explain.explaining import explain_sequence
        from core.explain.prefixes import prefix_scores
        from core.scoring.resident import Priority

        asked = replace(scorer, priority=Priority.EXPLANATION, after_batch=self._check)
        key = (self.dataset_id, self.sequence_id)
        try:
            if self.why is None:
                self.why = explain_sequence(home, asked, *key, told=self._tell).to_dict()
                self.steps += 1
            self.prefixes = prefix_scores(home, asked, *key, self.threshold).to_dict()
            self.steps += 1
        except _NobodyLooks:
            pass
        except Exception as error:  # whatever it is, the page says so: nobody else would hear of it
            self.fail(error)

    def _tell(self, values: Any) -> None:
        self.estimate = values[1:].tolist()  # the profile comes first
        self.steps += 1

    def _check(self) -> None:
        if time.monotonic() - self._looked > PATIENCE:
            raise _NobodyLooks


def look(model_id: str, dataset_id: str, sequence_id: str, threshold: float) -> Work:
    """Return what is known of a sequence's score by now; the page runs again when there is more."""
    key = (model_id, dataset_id, sequence_id, threshold)
    work = _work(str(home().path), events_held(dataset_id), key)
    if work.error is not None and time.monotonic() - work.failed > RETRY:
        work.error = None
    if not work.done:
        seen = work.steps
        work.why = work.why or _explained(model_id, dataset_id, sequence_id)
        try:
            work.go_on(home(), scorer(model_id))
        except SpoorError as error:
            work.fail(error)
        else:
            _look_again(work, seen)
    return copy(work)


def _explained(model_id: str, dataset_id: str, sequence_id: str) -> dict[str, Any] | None:
    """Return why a sequence has its score, if that was worked out before."""
    with home().engine.connect() as con:
        return explanations.get(con, model_id, dataset_id, sequence_id)


@st.cache_resource(max_entries=64, show_spinner=False)
def _work(path: str, held: int, key: tuple[str, str, str, float]) -> Work:
    return Work(*key)


@st.fragment(run_every=LOOK)
def _look_again(work: Work, seen: int) -> None:
    if work.steps > seen:
        st.rerun()
    work.go_on(home(), scorer(work.model_id))


def draw_state(work: Work) -> None:
    """Say what is still to come, or why it cannot be had."""
    if isinstance(work.error, SpoorError):
        missing = "No explanation" if work.why is None else "No score after each event"
        st.warning(f"{missing}: {text(str(work.error))}")
    elif work.error is not None:
        raise work.error
    elif work.why is None:
        st.caption(f"{PENDING} Working out why: some seconds, the first time.")
