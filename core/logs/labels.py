"""Attach what somebody else knows: a file of ids and labels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import pandas as pd

from core.errors import BadInput
from core.logs.engine import connect, quoted, scratch_folder
from core.logs.frames import read_sequences
from core.logs.mapping import tidy
from core.logs.reader import open_log
from core.schema import LONGEST_SCHEME, Column, scheme_name
from core.store import datasets, labels
from core.store.home import Home

UNITS: Final = {
    "actor": Column.ACTOR,
    "session": Column.SESSION,
    "sequence": Column.SEQUENCE,
}
_POSITIVE: Final = {"1", "1.0", "true", "yes", "y", "t", "positive"}
_NEGATIVE: Final = {"0", "0.0", "false", "no", "n", "f", "negative", "-1", "-1.0"}
MOST_SCHEMES: Final = 50
_SPLITS: Final = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}


@dataclass(frozen=True)
class Attached:
    """How many units got a label, how many keys of the file are not in the log, and which unit."""

    attached: int
    unmatched: int
    on: str


def attach_labels(
    home: Home,
    dataset_id: str,
    path: Path | str,
    *,
    key: str,
    label: str,
    on: str | None = None,
    positive: str | None = None,
    split: str | None = None,
    scheme: str | None = None,
) -> Attached:
    """Set the labels of a data set from a file; earlier ones of the same unit are replaced.

    Parameters
    ----------
    key, label, split, scheme
        Columns of the file; a split holds train, validation or test, a scheme what kind of abuse
        it is, where that is known (fake_orders, "Coupon abuse", ...).
    on
        actor, session or sequence; by default the unit whose ids match most keys.
    positive
        The value that means abuse; by default 1, true or yes.

    Raises
    ------
    BadInput
        If a column is missing, a value is not understood, or the unit is unclear.
    """
    with home.engine.connect() as con:
        datasets.get(con, dataset_id)
    if on is not None and on not in UNITS:
        raise BadInput(f"Labels cannot be on '{on}'. Accepted: {', '.join(UNITS)}.")
    frame = _read(Path(path), {"key": key, "label": label, "split": split, "scheme": scheme})
    frame["label"] = _as_booleans(frame["label"], label, positive)
    frame["split"] = _as_splits(frame["split"], split)
    frame["scheme"] = _as_schemes(frame["scheme"].where(frame["label"]), scheme)
    frame = _one_per_key(frame)
    unit, known = _choose_unit(home, dataset_id, frame["key"], on)
    matched = frame[frame["key"].isin(known)]
    with home.engine.begin() as con:
        labels.replace_labels(con, dataset_id, unit, matched)
    return Attached(len(matched), len(frame) - len(matched), unit)


def _read(path: Path, columns: dict[str, str | None]) -> pd.DataFrame:
    """Return the columns of the file by what they hold; those not named are empty."""
    with scratch_folder() as scratch, connect(scratch) as con:
        source = open_log(con, path, scratch)
        wanted = {name: tidy(column) for name, column in columns.items() if column is not None}
        for name, column in wanted.items():
            if column not in source.columns:
                raise BadInput(
                    f"The label file has no column '{column}' to be the {name}. "
                    f"Its columns: {', '.join(source.columns)}."
                )
        return _filled(con, wanted).reindex(columns=list(columns)).astype(object)


def _filled(con: duckdb.DuckDBPyConnection, wanted: dict[str, str]) -> pd.DataFrame:
    cells = ", ".join(f"{quoted(column)} AS {name}" for name, column in wanted.items())
    key, label = quoted(wanted["key"]), quoted(wanted["label"])
    frame: pd.DataFrame = con.execute(
        f"""SELECT {cells} FROM source
        WHERE "@refused" IS NULL AND {key} IS NOT NULL AND {label} IS NOT NULL"""
    ).df()
    if frame.empty:
        raise BadInput("The label file has no row with both a key and a label.")
    return frame


def _as_booleans(values: pd.Series, column: str, positive: str | None) -> pd.Series:
    found = sorted(values.unique())
    shown = ", ".join(repr(value) for value in found[:8])
    if positive is not None:
        if positive not in found:
            raise BadInput(f"'{positive}' is not among the values of '{column}': {shown}.")
        return values == positive
    words = values.str.lower()
    if not set(words) <= _POSITIVE | _NEGATIVE:
        raise BadInput(
            f"The column '{column}' has the values {shown}. Accepted: 1 and 0, true and false, "
            "yes and no; or say which value is the positive one."
        )
    return words.isin(_POSITIVE)


def _as_splits(values: pd.Series, column: str | None) -> pd.Series:
    words = values.map(lambda value: value.lower() if isinstance(value, str) else None)
    unknown = sorted({word for word in words.dropna() if word not in _SPLITS})
    if unknown:
        raise BadInput(
            f"The split column '{column}' has the value '{unknown[0]}'. "
            "Accepted: train, validation, test."
        )
    splits = words.map(_SPLITS).astype(object)
    return splits.where(splits.notna(), None)


def _as_schemes(values: pd.Series, column: str | None) -> pd.Series:
    """Return the names of schemes; what says no more than the label is none."""
    names = values.map(scheme_name, na_action="ignore").astype(object)
    names = names.where(names.notna() & ~names.isin(["", "abuse", "normal"]), None)
    found = names.dropna().unique()
    if len(found) > MOST_SCHEMES or any(len(name) > LONGEST_SCHEME for name in found):
        raise BadInput(
            f"The column '{column}' names {len(found):,} schemes, '{max(found, key=len)}' for one. "
            f"Accepted: at most {MOST_SCHEMES}, each of at most {LONGEST_SCHEME} characters."
        )
    return names


def _one_per_key(frame: pd.DataFrame) -> pd.DataFrame:
    unique = frame.drop_duplicates()
    if (twice := unique["key"].duplicated()).any():
        key = unique.loc[twice, "key"].iloc[0]
        raise BadInput(
            f"The key '{key}' has more than one label, split or scheme. Accepted: one row per key."
        )
    return unique


def _choose_unit(
    home: Home, dataset_id: str, keys: pd.Series, on: str | None
) -> tuple[str, set[str]]:
    sequences = read_sequences(home, dataset_id)
    known = {unit: set(sequences[column].dropna()) for unit, column in UNITS.items()}
    matches = {unit: int(keys.isin(ids).sum()) for unit, ids in known.items()}
    best = on or max(matches, key=lambda unit: matches[unit])
    if not matches[best]:
        example = next(iter(sorted(known[on or "actor"])), "none")
        raise BadInput(
            f"No key of the label file ('{keys.iloc[0]}', ...) is {'a ' + on if on else 'an id'} "
            f"of this log ('{example}', ...). Name the column of ids that the log has."
        )
    rivals = [unit for unit in UNITS if matches[unit] == matches[best] and unit != best]
    if on is None and rivals:
        raise BadInput(
            f"The keys match {best} and {rivals[0]} equally well ({matches[best]} each). "
            f"Say which is meant: on {best} or on {rivals[0]}."
        )
    return best, known[best]
