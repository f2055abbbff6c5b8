"""Explanations already computed, by model and sequence."""

from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select

from core.store.home import now
from core.store.tables import explanations

VERSION: Final = 2  # raised when explanations are computed or told in another way


def get(con: Connection, model_id: str, dataset_id: str, sequence_id: str) -> dict[str, Any] | None:
    """Return a stored explanation; none if it is of an older version."""
    query = select(explanations.c.explanation).where(
        explanations.c.model_id == model_id,
        explanations.c.dataset_id == dataset_id,
        explanations.c.sequence_id == sequence_id,
    )
    found: dict[str, Any] | None = con.execute(query).scalar()
    return found if found is not None and found.get("version") == VERSION else None


def put(
    con: Connection, model_id: str, dataset_id: str, sequence_id: str, value: dict[str, Any]
) -> None:
    """Store an explanation in place of an older one."""
    key = {"model_id": model_id, "dataset_id": dataset_id, "sequence_id": sequence_id}
    versioned = {**value, "version": VERSION}
    con.execute(delete(explanations).filter_by(**key))
    con.execute(insert(explanations).values(**key, explanation=versioned, created_at=now()))
