"""Verdicts: an analyst's decisions. One stands per case; undoing keeps the row."""

from dataclasses import asdict, dataclass, field

import pandas as pd
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from core.errors import Conflict
from core.store import audit, impressions
from core.store.cases import get
from core.store.home import now
from core.store.tables import cases, verdicts


@dataclass(frozen=True)
class Verdict:
    """What an analyst decided about one case."""

    case_id: int
    analyst: str
    decision: str  # confirmed | legitimate | unclear
    sequences: list[str]  # the sequences it covers
    score: float  # as shown when deciding
    scheme: str | None = None
    note: str = ""
    reasons: list[str] = field(default_factory=list)
    evidence: list[int] = field(default_factory=list)  # positions of events
    confidence: float = 1.0


def add(con: Connection, verdict: Verdict) -> int:
    """Store a verdict and return its id.

    Raises
    ------
    Conflict
        If the case carries a standing verdict already.
    NotFound
        If the case is gone.
    """
    values = asdict(verdict) | {"created_at": now()}
    try:
        with con.begin_nested():
            stored = con.execute(insert(verdicts).values(values).returning(verdicts.c.id))
            verdict_id = int(stored.scalar_one())
    except IntegrityError as error:
        standing = select(verdicts.c.analyst).where(
            verdicts.c.case_id == verdict.case_id, verdicts.c.undone_at.is_(None)
        )
        who = con.execute(standing).scalar()
        if who is None:
            get(con, verdict.case_id)  # or it is something else: what was given is no verdict
            raise
        raise Conflict(
            f"Case {verdict.case_id} is decided already, by {who}: undo that first."
        ) from error
    audit.record(con, verdict.analyst, verdict.decision, f"case {verdict.case_id}", {})
    return verdict_id


def undo_last(con: Connection, analyst: str) -> int:
    """Take back the analyst's last standing verdict and return its case.

    Raises
    ------
    Conflict
        If the analyst has none.
    """
    mine = select(verdicts.c.id, verdicts.c.case_id).where(
        verdicts.c.analyst == analyst, verdicts.c.undone_at.is_(None)
    )
    row = con.execute(mine.order_by(verdicts.c.id.desc()).limit(1)).first()
    if row is None:
        raise Conflict(f"{analyst} has no verdict to undo.")
    con.execute(update(verdicts).where(verdicts.c.id == row.id).values(undone_at=now()))
    impressions.undo_verdict(con, row.case_id, analyst)
    audit.record(con, analyst, "undo", f"case {row.case_id}", {})
    return int(row.case_id)


def of_dataset(con: Connection, dataset_id: str) -> pd.DataFrame:
    """Return the standing verdicts of a data set with their cases' actors, newest first."""
    query = (
        select(verdicts, cases.c.actor_id)
        .join(cases, cases.c.id == verdicts.c.case_id)
        .where(cases.c.dataset_id == dataset_id, verdicts.c.undone_at.is_(None))
        .order_by(verdicts.c.id.desc())
    )
    return pd.read_sql(query, con)


def of_case(con: Connection, case_id: int) -> pd.DataFrame:
    """Return every verdict of a case, undone ones too, newest first."""
    query = select(verdicts).where(verdicts.c.case_id == case_id)
    return pd.read_sql(query.order_by(verdicts.c.id.desc()), con)
