"""Explanations already computed, by model and sequence."""

from typing import Any

from sqlalchemy import Connection, delete, insert, select

from core.store.home import now
from core.store.tables import explanations


def get(con: Connection, model_id: str, dataset_id: str, sequence_id: str) -> dict[str, Any] | None:
    """Return a stored explanation."""
    query = select(explanations.c.explanation).where(
        explanations.c.model_id == model_id,
        explanations.c.dataset_id == dataset_id,
        explanations.c.sequence_id == sequence_id,
    )
    return con.execute(query).scalar()


def put(
    con: Connection, model_id: str, dataset_id: str, sequence_id: str, value: dict[str, Any]
) -> None:
    """Store an explanation in place of an older one."""
    key = {"model_id": model_id, "dataset_id": dataset_id, "sequence_id": sequence_id}
    con.execute(delete(explanations).filter_by(**key))
    con.execute(insert(explanations).values(**key, explanation=value, created_at=now()))
