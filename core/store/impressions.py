"""Impressions: what an analyst decided at each stage of a case, the verdict being the last."""

from dataclasses import asdict, dataclass
from typing import Final

import pandas as pd
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from core.errors import Conflict
from core.store import audit
from core.store.cases import get
from core.store.home import now
from core.store.tables import blind_queues, cases, impressions, verdicts

STAGES: Final = ("events", "score", "explanation")  # each shows more than the one before
LAST: Final = STAGES[-1]  # everything is shown: the decision is the verdict
_STANDING = impressions.c.undone_at.is_(None)


@dataclass(frozen=True)
class Impression:
    """What an analyst decided about one case when shown so much."""

    case_id: int
    analyst: str
    stage: str  # events | score | explanation
    decision: str  # confirmed | legitimate | unclear
    seconds: float | None = None  # since the case was shown so


def add(con: Connection, impression: Impression) -> None:
    """Store an impression; that of the last stage goes with a verdict, which is in the audit.

    Raises
    ------
    Conflict
        If the analyst has given one at that stage already.
    NotFound
        If the case is gone.
    """
    values = asdict(impression) | {"created_at": now()}
    case_id, analyst, stage = impression.case_id, impression.analyst, impression.stage
    try:
        with con.begin_nested():
            con.execute(insert(impressions).values(values))
    except IntegrityError as error:
        if stage not in given(con, case_id, analyst):
            get(con, case_id)  # or it is something else: what was given is no impression
            raise
        raise Conflict(f"{analyst} has decided that stage of case {case_id} already.") from error
    if stage != LAST:
        detail = {"stage": stage, "decision": impression.decision}
        audit.record(con, analyst, "impression", f"case {case_id}", detail)


def given(con: Connection, case_id: int, analyst: str) -> set[str]:
    """Return the stages of a case at which an analyst has decided."""
    of_case = (impressions.c.case_id == case_id) & (impressions.c.analyst == analyst)
    return set(con.execute(select(impressions.c.stage).where(of_case, _STANDING)).scalars())


def undo_last(con: Connection, analyst: str) -> int | None:
    """Take back the analyst's last impression if it is newer than any verdict of the analyst.

    It must be of a case that waits in a blind queue: elsewhere nobody would see that it is gone.
    Returns the case; None if there is nothing to take back.
    """
    stands = verdicts.c.undone_at.is_(None)
    last = select(verdicts.c.created_at).where(verdicts.c.analyst == analyst, stands)
    verdict_at = con.execute(last.order_by(verdicts.c.id.desc()).limit(1)).scalar()
    mine = (
        select(impressions.c.id, impressions.c.case_id, impressions.c.stage)
        .join(cases, cases.c.id == impressions.c.case_id)
        .join(blind_queues, blind_queues.c.dataset_id == cases.c.dataset_id)
        .where(impressions.c.analyst == analyst, impressions.c.stage != LAST, _STANDING)
        .where(impressions.c.case_id.not_in(select(verdicts.c.case_id).where(stands)))
    )
    if verdict_at is not None:
        mine = mine.where(impressions.c.created_at > verdict_at)
    row = con.execute(mine.order_by(impressions.c.id.desc()).limit(1)).first()
    if row is None:
        return None
    con.execute(update(impressions).where(impressions.c.id == row.id).values(undone_at=now()))
    detail = {"stage": row.stage}
    audit.record(con, analyst, "undo impression", f"case {row.case_id}", detail)
    return int(row.case_id)


def undo_verdict(con: Connection, case_id: int, analyst: str) -> None:
    """Take back the impression that went with a verdict."""
    of_case = (impressions.c.case_id == case_id) & (impressions.c.analyst == analyst)
    last = update(impressions).where(of_case, impressions.c.stage == LAST, _STANDING)
    con.execute(last.values(undone_at=now()))


def of_dataset(con: Connection, dataset_id: str) -> pd.DataFrame:
    """Return the impressions of a data set with their cases' actors, undone ones too."""
    query = (
        select(impressions, cases.c.actor_id)
        .join(cases, cases.c.id == impressions.c.case_id)
        .where(cases.c.dataset_id == dataset_id)
    )
    return pd.read_sql(query.order_by(impressions.c.id), con)
