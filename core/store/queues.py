"""How the queue of a data set is reviewed: everything at once, or the events first (blind)."""

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from core.store import audit
from core.store.home import now
from core.store.tables import blind_queues


def is_blind(con: Connection, dataset_id: str) -> bool:
    """Say whether the cases of a data set show their events before their score."""
    found = select(blind_queues.c.dataset_id).where(blind_queues.c.dataset_id == dataset_id)
    return con.execute(found).first() is not None


def set_blind(con: Connection, dataset_id: str, blind: bool, analyst: str) -> None:
    """Let the cases of a data set, of which there must be one, show events first or all at once."""
    if blind == is_blind(con, dataset_id):
        return
    if blind:
        row = {"dataset_id": dataset_id, "analyst": analyst, "created_at": now()}
        try:
            with con.begin_nested():
                con.execute(insert(blind_queues).values(row))
        except IntegrityError:
            if is_blind(con, dataset_id):  # somebody else asked for it at this moment
                return
            raise
    else:
        con.execute(delete(blind_queues).where(blind_queues.c.dataset_id == dataset_id))
    audit.record(con, analyst, "blind" if blind else "not blind", dataset_id, {})
