"""Who did what, append-only."""

from typing import Any

import pandas as pd
from sqlalchemy import Connection, insert, select

from core.store.home import now
from core.store.tables import audit


def record(
    con: Connection, analyst: str, action: str, subject: str, detail: dict[str, Any]
) -> None:
    """Append one line, in the transaction of what it tells of."""
    values = {"analyst": analyst, "action": action, "subject": subject, "detail": detail}
    con.execute(insert(audit).values(at=now(), **values))


def newest(con: Connection, limit: int = 100) -> pd.DataFrame:
    """Return the last `limit` lines, newest first."""
    return pd.read_sql(select(audit).order_by(audit.c.id.desc()).limit(limit), con)
