"""Blind review: the events first, then the score, then the explanation, a decision at each stage.

Who sees a score first tends to see what it says. So the first impression is asked for before, and
every change of mind is kept: `core.review.benefit` tells from that whether explanations help.
"""

from collections.abc import Collection

from sqlalchemy import Connection

from core.errors import BadInput, Conflict
from core.store import cases, datasets, impressions, queues, verdicts
from core.store.cases import Case
from core.store.home import Home
from core.store.impressions import LAST, STAGES, Impression


def next_stage(given: Collection[str]) -> str:
    """Return the first stage without a decision; the last one stays open until the verdict."""
    return next((stage for stage in STAGES if stage not in given), LAST)


def stage_of(con: Connection, case: Case, analyst: str) -> str | None:
    """Return how much of a case to show an analyst; None if everything, as in ordinary queues.

    A decided case shows everything: nobody's first impression is asked for any more.
    """
    if not queues.is_blind(con, case.dataset_id) or _is_decided(con, case.id):
        return None
    return next_stage(impressions.given(con, case.id, analyst))


def give_impression(
    home: Home,
    case_id: int,
    stage: str,
    decision: str,
    *,
    analyst: str,
    seconds: float | None = None,
) -> str:
    """Store what an analyst makes of a case before the verdict; return the stage that follows.

    It counts also if the queue has become an ordinary one meanwhile. `seconds` is how long the
    case was shown at this stage, where somebody timed it.

    Raises
    ------
    BadInput
        If the stage is the last: its decision is the verdict.
    Conflict
        If the case is decided, or this is not the analyst's next stage of it.
    """
    if stage == LAST:
        raise BadInput(f"Everything of case {case_id} is shown: give the verdict.")
    with home.engine.begin() as con:
        cases.get(con, case_id)
        if _is_decided(con, case_id):
            raise Conflict(f"Case {case_id} is decided already.")
        given = impressions.given(con, case_id, analyst)
        if stage != next_stage(given):
            raise Conflict(f"{analyst} has decided that stage of case {case_id} already.")
        impressions.add(con, Impression(case_id, analyst, stage, decision, seconds))
        return next_stage({*given, stage})


def switch(home: Home, dataset_id: str, blind: bool, analyst: str) -> None:
    """Let the queue of a data set show the events first, or everything at once."""
    with home.engine.begin() as con:
        datasets.get(con, dataset_id)
        queues.set_blind(con, dataset_id, blind, analyst)


def _is_decided(con: Connection, case_id: int) -> bool:
    return bool(verdicts.of_case(con, case_id)["undone_at"].isna().any())
