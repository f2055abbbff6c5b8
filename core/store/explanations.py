"""Explanations already computed, by model and sequence; those of a log that grew are stale."""

from contextlib import suppress
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from core.store.home import now
from core.store.tables import datasets, explanations

VERSION: Final = 3  # raised when explanations are computed or told in another way


def get(con: Connection, model_id: str, dataset_id: str, sequence_id: str) -> dict[str, Any] | None:
    """Return a stored explanation; none if it is of an older version or of a smaller data set."""
    query = (
        select(explanations.c.explanation, datasets.c.accepted)
        .join(datasets)
        .where(
            explanations.c.model_id == model_id,
            explanations.c.dataset_id == dataset_id,
            explanations.c.sequence_id == sequence_id,
        )
    )
    row = con.execute(query).first()
    if row is None:
        return None
    found: dict[str, Any] = row.explanation
    holds = found.get("version") == VERSION and found.get("accepted") == row.accepted
    return found if holds else None


def put(
    con: Connection,
    model_id: str,
    dataset_id: str,
    sequence_id: str,
    value: dict[str, Any],
    *,
    accepted: int,
) -> None:
    """Store an explanation in place of an older one.

    Parameters
    ----------
    accepted
        How many events the data set held before the explained ones were read.
    """
    key = {"model_id": model_id, "dataset_id": dataset_id, "sequence_id": sequence_id}
    versioned = {**value, "version": VERSION, "accepted": accepted}
    con.execute(delete(explanations).filter_by(**key))
    with suppress(IntegrityError), con.begin_nested():  # somebody else has just stored the same
        con.execute(insert(explanations).values(**key, explanation=versioned, created_at=now()))
