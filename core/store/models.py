"""Models and the policy in force: candidate -> active -> retired, at most one active per task."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import Connection, insert, select, update

from core.errors import BadInput, Conflict, NotFound
from core.store import audit
from core.store.home import as_dict, now
from core.store.tables import models, policies


@dataclass(frozen=True)
class Model:
    """One registered model; its files are in the home's folder of the same id."""

    id: str
    task: str
    kind: str  # "probability" after labels, "unusualness" before
    status: str
    dataset_id: str | None
    parent_id: str | None
    threshold: float
    metrics: dict[str, Any]
    created_at: datetime
    activated_at: datetime | None = None


def add(con: Connection, model: Model) -> None:
    """Register `model`."""
    con.execute(insert(models).values(**asdict(model)))


def get(con: Connection, model_id: str) -> Model:
    """Return one model; `NotFound` names the models there are."""
    row = con.execute(select(models).where(models.c.id == model_id)).first()
    if row is None:
        known = ", ".join(con.execute(select(models.c.id)).scalars()) or "none yet"
        raise NotFound(f"There is no model '{model_id}'. Models: {known}.")
    return Model(**as_dict(row))


def add_metric(con: Connection, model_id: str, name: str, value: dict[str, Any]) -> Model:
    """Set one entry of a model's metrics and return the model."""
    model = get(con, model_id)
    metrics = {**model.metrics, name: value}
    con.execute(update(models).where(models.c.id == model_id).values(metrics=metrics))
    return replace(model, metrics=metrics)


def active(con: Connection, task: str = "anomaly") -> Model | None:
    """Return the model that decides, if there is one."""
    query = select(models).where(models.c.task == task, models.c.status == "active")
    row = con.execute(query).first()
    return None if row is None else Model(**as_dict(row))


def all_models(con: Connection) -> pd.DataFrame:
    """Return every model, newest first."""
    return pd.read_sql(select(models).order_by(models.c.created_at.desc()), con)


def promote(con: Connection, model_id: str, analyst: str) -> Model:
    """Make `model_id` the active model of its task; the one before retires."""
    model = get(con, model_id)
    if model.status == "active":
        raise Conflict(f"'{model_id}' is active already.")
    _retire_active(con, model.task)
    changes = {"status": "active", "activated_at": now()}
    con.execute(update(models).where(models.c.id == model_id).values(changes))
    audit.record(con, analyst, "promote", model_id, {})
    return get(con, model_id)


def rollback(con: Connection, analyst: str, task: str = "anomaly") -> Model:
    """Give the decision back to the model that was active before the present one."""
    present = active(con, task)
    if present is None:
        raise Conflict("No model is active, so there is nothing to roll back.")
    before = (
        select(models.c.id)
        .where(models.c.task == task, models.c.activated_at < present.activated_at)
        .order_by(models.c.activated_at.desc())
        .limit(1)
    )
    model_id = con.execute(before).scalar()
    if model_id is None:
        raise Conflict(f"No model was active before '{present.id}': promote one instead.")
    _retire_active(con, task)
    # The model left behind is out of the history: a later rollback must not come back to it.
    left = update(models).where(models.c.id == present.id)
    con.execute(left.values(activated_at=None))
    con.execute(update(models).where(models.c.id == model_id).values(status="active"))
    audit.record(con, analyst, "rollback", model_id, {"from": present.id})
    return get(con, model_id)


def threshold(con: Connection, model_id: str) -> float:
    """Return the threshold in force: the newest policy of the model, else the model's own."""
    newest = (
        select(policies.c.threshold)
        .where(policies.c.model_id == model_id)
        .order_by(policies.c.version.desc())
        .limit(1)
    )
    in_force = con.execute(newest).scalar()
    return get(con, model_id).threshold if in_force is None else float(in_force)


def set_threshold(con: Connection, model_id: str, value: float, analyst: str) -> None:
    """Put a new version of the policy in force.

    Raises
    ------
    BadInput
        If `value` is not in [0, 1].
    """
    if not 0 <= value <= 1:
        raise BadInput(f"A threshold lies between 0 and 1; {value} was given.")
    model = get(con, model_id)
    row = {"threshold": value, "analyst": analyst, "created_at": now()}
    con.execute(insert(policies).values(model_id=model.id, **row))
    audit.record(con, analyst, "threshold", model.id, {"threshold": value})


def _retire_active(con: Connection, task: str) -> None:
    where = (models.c.task == task) & (models.c.status == "active")
    con.execute(update(models).where(where).values(status="retired"))
