"""What leaves the workbench: verdicts and scores as CSV or Parquet."""

import io
import json
from pathlib import Path

import pandas as pd

from core.errors import BadInput, NotFound
from core.logs.frames import read_sequences
from core.schema import Column, Trust
from core.scoring.cases import read_scores
from core.store import datasets, runs, verdicts
from core.store.home import Home, writing

# A spreadsheet runs a cell that begins like this as a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_LISTS = ("sequences", "reasons", "evidence")
VERDICT_COLUMNS = [
    "actor_id",
    "decision",
    "scheme",
    "note",
    "analyst",
    "score",
    "confidence",
    "created_at",
    "sequences",
    "reasons",
    "evidence",
]


def verdicts_of(home: Home, dataset_id: str) -> pd.DataFrame:
    """Return the standing verdicts of a data set, newest first."""
    with home.engine.connect() as con:
        datasets.get(con, dataset_id)
        frame = verdicts.of_dataset(con, dataset_id)[VERDICT_COLUMNS]
    return frame.assign(**{name: frame[name].map(json.dumps) for name in _LISTS})


def scores_of(home: Home, dataset_id: str, run_id: str | None = None) -> pd.DataFrame:
    """Return every sequence's score of a run (default: the newest) with the model's name.

    Beside it stands what lowers the trust in it, where the data set knows: see `Trust`.
    """
    with home.engine.connect() as con:
        run = runs.get(con, run_id) if run_id else runs.newest(con, dataset_id)
    if run is None or run.dataset_id != dataset_id:
        raise NotFound(f"'{dataset_id}' has no such scores: score it first.")
    sequences = read_sequences(home, dataset_id)
    doubts = sequences[[Column.SEQUENCE, *sequences.columns.intersection(list(Trust.COLUMNS))]]
    scores = read_scores(home, run.id).assign(model=run.model_id)
    return scores.merge(doubts, on=Column.SEQUENCE, how="left")


def to_csv(frame: pd.DataFrame) -> bytes:
    """Return `frame` as CSV in which no cell can act as a formula."""
    texts = frame.select_dtypes(include=["object", "str"]).columns
    safe = frame.assign(**{name: frame[name].map(_defused, na_action="ignore") for name in texts})
    return safe.to_csv(index=False).encode()


def to_parquet(frame: pd.DataFrame) -> bytes:
    """Return `frame` as Parquet, values untouched."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write `frame` as Parquet or CSV, whichever the file's name ends in.

    Raises
    ------
    BadInput
        If the name ends in something else, or the file cannot be written.
    """
    writers = {".csv": to_csv, ".parquet": to_parquet}
    if path.suffix not in writers:
        raise BadInput(f"{path} ends in '{path.suffix}'; accepted are .csv and .parquet.")
    try:
        with writing(path) as file:
            file.write_bytes(writers[path.suffix](frame))
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}.") from error


def _defused(cell: object) -> object:
    if isinstance(cell, str) and cell.startswith(FORMULA_STARTS):
        return f"'{cell}"
    return cell
