"""Scenarios: named edits of a sequence, kept for whoever looks at its case next."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from core.errors import BadInput, Conflict, NotFound
from core.store import audit
from core.store.home import as_dict, now
from core.store.tables import scenarios

LONGEST_NAME = 100


@dataclass(frozen=True)
class Scenario:
    """What somebody tried on a sequence."""

    id: int
    dataset_id: str
    sequence_id: str
    name: str
    analyst: str
    edits: dict[str, Any]
    created_at: datetime


def add(
    con: Connection,
    dataset_id: str,
    sequence_id: str,
    *,
    name: str,
    analyst: str,
    edits: dict[str, Any],
) -> int:
    """Store a scenario and return its id.

    Raises
    ------
    BadInput
        If the name is empty or too long.
    Conflict
        If the sequence has a scenario of that name.
    """
    name = name.strip()
    if not 0 < len(name) <= LONGEST_NAME:
        raise BadInput(f"A scenario needs a name of 1 to {LONGEST_NAME} signs.")
    row = {"dataset_id": dataset_id, "sequence_id": sequence_id, "name": name, "analyst": analyst}
    query = insert(scenarios).values(**row, edits=edits, created_at=now())
    try:
        with con.begin_nested():
            scenario_id = int(con.execute(query.returning(scenarios.c.id)).scalar_one())
    except IntegrityError as error:
        raise Conflict(
            f"This sequence has a scenario '{name}' already: choose another name."
        ) from error
    audit.record(con, analyst, "scenario", f"sequence {sequence_id}", {"name": name})
    return scenario_id


def get(con: Connection, scenario_id: int) -> Scenario:
    """Return one scenario."""
    row = con.execute(select(scenarios).where(scenarios.c.id == scenario_id)).first()
    if row is None:
        raise NotFound(f"There is no scenario {scenario_id}: it may have been deleted.")
    return Scenario(**as_dict(row))


def of_sequence(con: Connection, dataset_id: str, sequence_id: str) -> list[Scenario]:
    """Return the scenarios of a sequence, the oldest first."""
    query = select(scenarios).where(
        scenarios.c.dataset_id == dataset_id, scenarios.c.sequence_id == sequence_id
    )
    return [Scenario(**as_dict(row)) for row in con.execute(query.order_by(scenarios.c.id))]


def remove(con: Connection, scenario_id: int, analyst: str) -> None:
    """Delete a scenario."""
    scenario = get(con, scenario_id)
    con.execute(delete(scenarios).where(scenarios.c.id == scenario_id))
    subject = f"sequence {scenario.sequence_id}"
    audit.record(con, analyst, "delete scenario", subject, {"name": scenario.name})
