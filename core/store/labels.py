"""Outside labels: what somebody else already knows about actors, sessions or sequences."""

import pandas as pd
from sqlalchemy import Connection, delete, func, insert, select

from core.store.home import records
from core.store.tables import cases, labels, verdicts


def replace_labels(con: Connection, dataset_id: str, unit: str, frame: pd.DataFrame) -> None:
    """Set the labels of `unit` to `frame` with the columns key, label (bool), split and scheme."""
    con.execute(delete(labels).where(labels.c.dataset_id == dataset_id, labels.c.unit == unit))
    rows = records(frame.assign(dataset_id=dataset_id, unit=unit))
    if rows:
        con.execute(insert(labels), rows)


def of_dataset(con: Connection, dataset_id: str) -> pd.DataFrame:
    """Return the labels of a data set: unit, key, label, split, scheme."""
    columns = (labels.c.unit, labels.c.key, labels.c.label, labels.c.split, labels.c.scheme)
    return pd.read_sql(select(*columns).where(labels.c.dataset_id == dataset_id), con)


def counts(con: Connection, dataset_id: str) -> dict[bool, int]:
    """Return how many units carry each label."""
    query = (
        select(labels.c.label, func.count())
        .where(labels.c.dataset_id == dataset_id)
        .group_by(labels.c.label)
    )
    return {bool(label): number for label, number in con.execute(query)}


def judged(con: Connection) -> list[str]:
    """Return the data sets of which anything is known: they have labels or standing verdicts."""
    decided = select(cases.c.dataset_id).join(verdicts, verdicts.c.case_id == cases.c.id)
    known = select(labels.c.dataset_id).union(decided.where(verdicts.c.undone_at.is_(None)))
    return sorted(con.execute(known).scalars())
