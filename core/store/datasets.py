"""Data sets: logs that were imported."""

from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import Connection, delete, insert, select, update

from core.errors import NotFound
from core.store.home import Home, as_dict, remove
from core.store.tables import datasets, explanations, models, runs


@dataclass(frozen=True)
class Dataset:
    """One imported log; `accepted + rejected + duplicate == read`."""

    id: str
    name: str
    source: str  # the files that it was imported from, one a line
    mapping: dict[str, Any]
    quality: dict[str, Any]
    read: int
    accepted: int
    rejected: int
    duplicate: int
    actors: int
    sequences: int
    created_at: datetime

    @property
    def sources(self) -> list[str]:
        """The files that it was imported from, the first one first."""
        return self.source.split("\n")


def add(con: Connection, dataset: Dataset) -> None:
    """Register `dataset`."""
    con.execute(insert(datasets).values(**asdict(dataset)))


def replace(con: Connection, old: Dataset, new: Dataset) -> bool:
    """Put `new` in the place of `old`; tell whether `old` was still there.

    Its explanations go: they tell of the sequences as they were.
    """
    unchanged = (datasets.c.id == old.id) & (datasets.c.read == old.read)
    replaced = con.execute(update(datasets).where(unchanged).values(**asdict(new))).rowcount == 1
    if replaced:
        con.execute(delete(explanations).where(explanations.c.dataset_id == old.id))
    return replaced


def of_source(con: Connection, source: str) -> Dataset | None:
    """Return the newest data set that was imported from the file `source`, or partly so."""
    likely = select(datasets).where(datasets.c.source.contains(source, autoescape=True))
    rows = con.execute(likely.order_by(datasets.c.created_at.desc()))
    found = (Dataset(**as_dict(row)) for row in rows)
    return next((dataset for dataset in found if source in dataset.sources), None)


def get(con: Connection, dataset_id: str) -> Dataset:
    """Return one data set.

    Raises
    ------
    NotFound
        Names the data sets there are.
    """
    row = con.execute(select(datasets).where(datasets.c.id == dataset_id)).first()
    if row is None:
        known = ", ".join(con.execute(select(datasets.c.id)).scalars()) or "none yet"
        raise NotFound(f"There is no data set '{dataset_id}'. Data sets: {known}.")
    return Dataset(**as_dict(row))


def all_datasets(con: Connection) -> pd.DataFrame:
    """Return every data set, newest first."""
    return pd.read_sql(select(datasets).order_by(datasets.c.created_at.desc()), con)


def delete_dataset(home: Home, dataset_id: str) -> None:
    """Delete a data set with its events, labels, scores, cases, verdicts and explanations.

    Models trained on it stay. The database goes first: files without a row are never read.
    """
    with home.engine.begin() as con:
        get(con, dataset_id)
        of_dataset = select(runs.c.id).where(runs.c.dataset_id == dataset_id)
        run_ids = con.execute(of_dataset).scalars().all()
        model_ids = con.execute(select(models.c.id)).scalars().all()
        con.execute(delete(datasets).where(datasets.c.id == dataset_id))
    for run_id in run_ids:
        remove(home.run_file(run_id))
        remove(home.embeddings_file(run_id))
    remove(home.dataset_dir(dataset_id))
    for model_id in model_ids:
        with suppress(OSError):  # a run may be writing there; it fails, and is swept later
            remove(home.scoring_dir(model_id, dataset_id))
