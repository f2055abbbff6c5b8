"""Cases: actors put before an analyst, and why they were picked."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from core.errors import NotFound
from core.store import queues
from core.store.home import as_dict, records
from core.store.tables import cases, impressions, runs, verdicts

_STANDING = verdicts.c.undone_at.is_(None)
ASKED_FOR = ("margin", "outlier")  # sources of cases that somebody wants to learn from
_ORDER = (cases.c.source.in_(ASKED_FOR).desc(), cases.c.score.desc(), cases.c.id)
_BLIND_ORDER = (cases.c.sequence_id, cases.c.id)  # a hash: it says nothing about the score


@dataclass(frozen=True)
class Case:
    """One actor before an analyst."""

    id: int
    dataset_id: str
    actor_id: str
    run_id: str
    sequence_id: str
    flagged: list[str]
    score: float
    events: int
    amount: float | None
    last_ts: datetime | None
    source: str
    propensity: float
    created_at: datetime
    likely_scheme: str | None = None  # what the model would call it
    likely_share: float | None = None  # how sure it is of that, if it is abuse


def replace_open(con: Connection, dataset_id: str, frame: pd.DataFrame) -> int:
    """Put `frame`'s cases in the queue in place of the undecided ones; decided cases stay.

    The case of an actor that is in the queue already keeps its id, for somebody may be looking at
    it, but takes its new score. One that `frame` lacks stays as it is if its verdict was undone or
    somebody has an impression of it, because that is on record, else it goes. Returns the number of
    cases added.
    """
    on_record = select(verdicts.c.case_id).union(select(impressions.c.case_id))
    of_dataset = cases.c.dataset_id == dataset_id
    gone = delete(cases).where(of_dataset, cases.c.id.not_in(on_record))
    con.execute(gone.where(cases.c.actor_id.not_in(frame["actor_id"].tolist())))
    known = set(con.execute(select(cases.c.actor_id).where(of_dataset)).scalars())
    kept = frame["actor_id"].isin(known)
    _renew(con, dataset_id, frame[kept])
    add(con, frame[~kept])
    return int((~kept).sum())


def add(con: Connection, frame: pd.DataFrame) -> None:
    """Put `frame`'s cases, of actors that have none, in the queue.

    They are numbered in an order of chance: a case's number is in its link, and must not give away
    its score.
    """
    if rows := records(frame.sort_values("sequence_id")):
        con.execute(insert(cases), rows)


def _renew(con: Connection, dataset_id: str, frame: pd.DataFrame) -> None:
    """Give the open ones among the cases of `frame` their new values."""
    decided = select(verdicts.c.case_id).where(_STANDING)
    waiting = select(cases.c.actor_id, cases.c.id).where(
        cases.c.dataset_id == dataset_id, cases.c.id.not_in(decided)
    )
    number = {row.actor_id: row.id for row in con.execute(waiting)}
    rows = [
        row | {"number": number[row["actor_id"]]}
        for row in records(frame)
        if row["actor_id"] in number
    ]
    if rows:
        con.execute(update(cases).where(cases.c.id == bindparam("number")), rows)


def get(con: Connection, case_id: int) -> Case:
    """Return one case."""
    row = con.execute(select(cases).where(cases.c.id == case_id)).first()
    if row is None:
        raise NotFound(
            f"There is no case {case_id}: it may have left the queue when scores changed."
        )
    return Case(**as_dict(row))


def queue(con: Connection, dataset_id: str | None = None, *, decided: bool = False) -> pd.DataFrame:
    """Return the cases waiting (or, with `decided`, those with a verdict), highest score first.

    Those asked for to learn from come before all others. Random picks are ordered by score like the
    rest, so nothing tells them apart while reviewing. What waits in a blind queue is in an order
    that has nothing to do with scores.
    """
    query = _with_verdict()
    query = query.where(verdicts.c.id.is_not(None) if decided else verdicts.c.id.is_(None))
    if dataset_id is not None:
        query = query.where(cases.c.dataset_id == dataset_id)
    order = _ORDER if decided or dataset_id is None else _order(con, dataset_id)
    return pd.read_sql(query.order_by(*order), con)


def next_open(con: Connection, dataset_id: str, *, skipping: list[int]) -> int | None:
    """Return the id of the first waiting case of the queue, leaving out `skipping`."""
    query = (
        select(cases.c.id)
        .outerjoin(verdicts, (verdicts.c.case_id == cases.c.id) & _STANDING)
        .where(cases.c.dataset_id == dataset_id, verdicts.c.id.is_(None))
        .where(cases.c.id.not_in(skipping))
        .order_by(*_order(con, dataset_id))
        .limit(1)
    )
    return con.execute(query).scalar()


def _order(con: Connection, dataset_id: str) -> tuple[ColumnElement[Any], ...]:
    return _BLIND_ORDER if queues.is_blind(con, dataset_id) else _ORDER


def open_by_dataset(con: Connection) -> dict[str, int]:
    """Return the number of waiting cases of each data set."""
    query = (
        select(cases.c.dataset_id, func.count())
        .outerjoin(verdicts, (verdicts.c.case_id == cases.c.id) & _STANDING)
        .where(verdicts.c.id.is_(None))
        .group_by(cases.c.dataset_id)
    )
    return {row[0]: row[1] for row in con.execute(query)}


def _with_verdict() -> Select[tuple[object, ...]]:
    columns = [verdicts.c.decision, verdicts.c.scheme, verdicts.c.analyst, runs.c.model_id]
    return (
        select(cases, *columns)
        .join(runs, runs.c.id == cases.c.run_id)
        .outerjoin(verdicts, (verdicts.c.case_id == cases.c.id) & _STANDING)
    )
