"""Read a data set back, as frames."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from core.errors import BadInput, NotFound
from core.logs.engine import connect, file_literal, quoted, scratch_folder
from core.logs.mapping import Mapping
from core.schema import Column
from core.store.home import Home

PARTS_AT_ONCE = 8  # read together where a query holds all it reads

_TIMES = (Column.TIME, Column.FIRST, Column.LAST)


def read_mapping(home: Home, dataset_id: str) -> Mapping:
    """Return the mapping a data set was imported with."""
    return Mapping.model_validate_json((_folder(home, dataset_id) / "mapping.json").read_text())


def actions(home: Home, dataset_id: str) -> list[str]:
    """Return the commonest actions: those with a count of their own in the profile."""
    found: list[str] = json.loads((_folder(home, dataset_id) / "actions.json").read_text())
    return found


def partitions(home: Home, dataset_id: str) -> int:
    """Return the number of parts the events lie in."""
    return len(_parts(home, dataset_id))


def read_sequences(
    home: Home,
    dataset_id: str,
    *,
    sequences: Sequence[str] | None = None,
    actors: Sequence[str] | None = None,
    partition: int | None = None,
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return sequences with their profile, in the order of their events.

    Parameters
    ----------
    sequences, actors, partition, columns
        Only these, all conditions together; by default all.
    """
    path = _folder(home, dataset_id) / "sequences.parquet"
    every = "* EXCLUDE (file_row_number)"
    cells = every if columns is None else ", ".join(map(quoted, columns))
    given = _given(sequences, actors)
    wanted = "true" if partition is None else f"{quoted(Column.PARTITION)} = {partition}"
    return query(
        f"""SELECT {cells} FROM read_parquet({file_literal(path)}, file_row_number = true)
        WHERE {wanted} AND {_among(given)} ORDER BY file_row_number""",
        given,
    )


def drop_recut(home: Home, dataset_id: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out the rows whose sequence is gone: a log that has grown may be cut differently."""
    named = frame[Column.SEQUENCE]
    there = read_sequences(home, dataset_id, sequences=list(named), columns=[Column.SEQUENCE])
    return frame[named.isin(there[Column.SEQUENCE])].reset_index(drop=True)


def read_rejected(home: Home, dataset_id: str) -> pd.DataFrame:
    """Return the rejected rows: line, reason, raw text."""
    path = _folder(home, dataset_id) / "rejected.parquet"
    return query(f"SELECT * FROM read_parquet({file_literal(path)})")


def read_events(
    home: Home,
    dataset_id: str,
    *,
    sequences: Sequence[str] | None = None,
    actors: Sequence[str] | None = None,
    partition: int | None = None,
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return events with their facts, by sequence (as in `read_sequences`) and position.

    Parameters
    ----------
    sequences, actors, partition, columns
        Only these, all conditions together; by default all.

    Raises
    ------
    BadInput
        If a file of the data set is damaged.
    """
    parts = _parts(home, dataset_id)
    if partition is not None:
        if not 0 <= partition < len(parts):
            raise NotFound(f"'{dataset_id}' has the parts 0 to {len(parts) - 1}, not {partition}.")
        parts = [parts[partition]]
    given = _given(sequences, actors)
    if given and partition is None:
        parts = _parts_with(home, dataset_id, parts, given)
    files = ", ".join(file_literal(part) for part in parts)
    every = '* EXCLUDE ("@file", file_row_number)'
    cells = every if columns is None else ", ".join(map(quoted, columns))
    try:
        return query(
            f"""SELECT {cells}
            FROM read_parquet([{files}], filename = '@file', file_row_number = true)
            WHERE {_among(given)} ORDER BY "@file", file_row_number""",
            given,
        )
    except (duckdb.IOException, duckdb.InvalidInputException) as error:
        raise BadInput(
            f"The events of '{dataset_id}' are damaged: {str(error).splitlines()[0]} Import the "
            "log again."
        ) from error


def read_nearest(
    home: Home, dataset_id: str, column: str, value: str, at: pd.Timestamp | None
) -> "pd.Series[Any] | None":
    """Return the log's event with `value` in `column` that is nearest in time, if there is any.

    Without a time it is the first.
    """
    files = ", ".join(file_literal(part) for part in _parts(home, dataset_id))
    moment = "0" if at is None else f"abs(epoch_us(ts) - {at.value // 1000})"
    found = query(
        f"""FROM read_parquet([{files}]) WHERE {quoted(column)} = $value ORDER BY {moment}, "row"
        LIMIT 1""",
        {"value": value},
    )
    return None if found.empty else found.iloc[0]


def read_groups(home: Home, dataset_id: str, column: str) -> pd.Series:
    """Return each actor's commonest value of a column of the events: actor -> value or None."""
    parts = [file_literal(part) for part in _parts(home, dataset_id)]
    found = [  # an actor's events lie in one part, and `mode` holds all values it is given
        query(
            f"""SELECT actor_id, mode({quoted(column)} ORDER BY {quoted(column)}) AS value
            FROM read_parquet([{", ".join(parts[start : start + PARTS_AT_ONCE])}])
            GROUP BY actor_id"""
        )
        for start in range(0, len(parts), PARTS_AT_ONCE)
    ]
    values: pd.Series = pd.concat(found).set_index(Column.ACTOR)["value"].sort_index()
    return values


def _folder(home: Home, dataset_id: str) -> Path:
    folder = home.dataset_dir(dataset_id)
    if not folder.is_dir():
        raise NotFound(f"There is no data set '{dataset_id}' in {home.path}.")
    return folder


def _parts(home: Home, dataset_id: str) -> list[Path]:
    return sorted((_folder(home, dataset_id) / "events").glob("part-*.parquet"))


def _parts_with(
    home: Home, dataset_id: str, parts: list[Path], given: dict[str, list[str]]
) -> list[Path]:
    """Return the parts that hold the wanted sequences or actors (one part when there is none)."""
    path = _folder(home, dataset_id) / "sequences.parquet"
    found = query(
        f"""SELECT DISTINCT "partition" FROM read_parquet({file_literal(path)})
        WHERE {_among(given)} ORDER BY 1""",
        given,
    )
    return [parts[number] for number in found[Column.PARTITION]] or parts[:1]


def _given(sequences: Sequence[str] | None, actors: Sequence[str] | None) -> dict[str, list[str]]:
    wanted = {Column.SEQUENCE: sequences, Column.ACTOR: actors}
    return {column: list(values) for column, values in wanted.items() if values is not None}


def _among(given: dict[str, list[str]]) -> str:
    wanted = [f"{quoted(column)} IN (SELECT unnest(${column}))" for column in given]
    return " AND ".join(wanted) or "true"


def query(sql: str, parameters: dict[str, Any] | None = None) -> pd.DataFrame:
    """Return what DuckDB finds, times in UTC; what does not fit into memory waits on the disk."""
    with scratch_folder() as scratch, connect(scratch) as con:
        return to_frame(con.execute(sql, parameters or {}))


def to_frame(result: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return a query's result with times in UTC."""
    frame: pd.DataFrame = result.df()
    for column in _TIMES:
        if column in frame:
            frame[column] = frame[column].astype("datetime64[us]").dt.tz_localize("UTC")
    empty = [column for column in frame if frame[column].dtype == object]  # nothing but nulls
    return frame.astype(dict.fromkeys(empty, "str")) if empty else frame
