"""A log that has grown: what a data set holds already is told from what is new.

Rows have no ids, and repetition is behaviour: an event is known as often as the data set holds
events of the same content. So a file that grew, or one that overlaps with the last, adds only what
is new.
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import duckdb

from core.logs.engine import file_literal, in_parallel, one_row, quoted
from core.logs.events import BUCKETS, Counts
from core.logs.mapping import Mapping, event_columns
from core.logs.reader import Source
from core.logs.repeats import content_columns
from core.logs.sequencing import Part, parts_of
from core.store.datasets import Dataset

_EVENTS_PER_PART = 1_000_000  # their rows are short here


def fit_columns(
    con: duckdb.DuckDBPyConnection, source: Source, mapping: Mapping
) -> tuple[Source, Mapping, list[str]]:
    """Give a file the columns of the data set that it is added to; return also what to note.

    What the data set does not know is left out. Objects that lack a key had nothing to say there,
    but a table without a column is another table, and is refused later.
    """
    taken = mapping.roles.taken()
    late = [name for name in source.columns if name not in mapping.columns and name not in taken]
    notes = [f"Left out, because the data set was made without: {', '.join(late)}."] if late else []
    columns = mapping.columns | dict.fromkeys(late, "ignore")
    lacking = [name for name in mapping.columns if name not in source.columns]
    if lacking and source.format.kind in ("json", "jsonl"):
        nothing = ", ".join(f"CAST(NULL AS VARCHAR) AS {quoted(name)}" for name in lacking)
        con.execute(
            f"""ALTER VIEW source RENAME TO lacking;
            CREATE VIEW source AS SELECT *, {nothing} FROM lacking"""
        )
        source = replace(source, columns=[*source.columns, *lacking])
        silent = [name for name in lacking if mapping.columns[name] != "ignore"]
        notes += [f"No row that was added says: {', '.join(silent)}."] if silent else []
    return source, mapping.model_copy(update={"columns": columns}), notes


def grow(
    con: duckdb.DuckDBPyConnection, folder: Path, held: Dataset, mapping: Mapping, counts: Counts
) -> Counts | None:
    """Make `accepted` and `rejected` hold what is stored and what is new; None where nothing is.

    Parameters
    ----------
    folder, held
        The files and the record of the data set.
    counts
        Of the rows that were read now.

    Returns
    -------
    The counts of all rows ever read; those that the data set held already are duplicates.
    """
    new = _keep_new(con, folder, mapping, counts)
    if not new.accepted and not new.rejected:
        return None
    return _add_stored(con, new, held)


def _keep_new(
    con: duckdb.DuckDBPyConnection, folder: Path, mapping: Mapping, counts: Counts
) -> Counts:
    """Leave what is new in `accepted` and `rejected`; return the counts, the known as duplicates.

    Creates `stored` and `stored_rejected`: what the data set in `folder` holds.
    """
    _open_stored(con, folder)
    con.execute('CREATE TABLE known ("row" BIGINT)')
    content = f"hash({', '.join(map(quoted, _telling(mapping)))})"
    # With `drop`, a single event stands for all that are alike.
    nth = (
        "1"
        if mapping.duplicates == "drop"
        else 'row_number() OVER (PARTITION BY "@content" ORDER BY "row")'
    )

    def find(own: duckdb.DuckDBPyConnection, part: Part) -> None:
        own.execute(
            f"""INSERT INTO known SELECT "row" FROM (
                SELECT "row", "@content", {nth} AS nth FROM (
                    SELECT "row", {content} AS "@content" FROM accepted WHERE {part.condition}))
            JOIN (SELECT {content} AS "@content", count(*) AS held FROM stored
                WHERE {part.condition} GROUP BY "@content") USING ("@content")
            WHERE nth <= held"""
        )

    in_parallel(con, find, parts_of(con, "accepted", _EVENTS_PER_PART))
    if mapping.roles.event_id:
        con.execute(
            """INSERT INTO known SELECT "row" FROM accepted WHERE event_id IN (
                SELECT event_id FROM stored) AND "row" NOT IN (FROM known)"""
        )
    for table in ("accepted", "unread"):
        con.execute(f'DELETE FROM {table} WHERE "row" IN (FROM known)')
    _drop_known_rejected(con)
    accepted, rejected = (
        one_row(con, f"SELECT count(*) FROM {table}")[0] for table in ("accepted", "rejected")
    )
    reasons = con.execute("SELECT reason, count(*) FROM rejected GROUP BY reason").fetchall()
    known = counts.accepted - accepted + counts.rejected - rejected
    return Counts(counts.read, accepted, rejected, counts.duplicate + known, dict(reasons))


def _add_stored(con: duckdb.DuckDBPyConnection, counts: Counts, held: Dataset) -> Counts:
    """Put what is stored before what is new; return the counts of both.

    New events count on from the rows before them, as if the files lay one after another.
    """
    con.execute(
        """CREATE OR REPLACE TABLE accepted AS
        FROM stored UNION ALL BY NAME
        SELECT * REPLACE ("row" + greatest(0, (SELECT max("row") FROM stored)
            - (SELECT min("row") FROM accepted) + 1) AS "row") FROM accepted
        ORDER BY "@bucket", hash(actor_id), ts, "row" """
    )
    con.execute(
        """CREATE OR REPLACE TABLE rejected AS FROM (
            FROM stored_rejected UNION ALL BY NAME FROM rejected)"""
    )
    unread = held.quality.get("unread", {})  # an older data set does not tell
    for name, told in unread.items():
        con.execute(
            "INSERT INTO unread VALUES (0, ?, ?, ?)", [name, told["example"], told["values"]]
        )
    reasons = Counter(held.quality["rejected_by_reason"]) + Counter(counts.reasons)
    return Counts(
        read=held.read + counts.read,
        accepted=held.accepted + counts.accepted,
        rejected=held.rejected + counts.rejected,
        duplicate=held.duplicate + counts.duplicate,
        reasons=dict(reasons.most_common()),
    )


def _open_stored(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    names = [row[0] for row in con.execute("DESCRIBE accepted").fetchall() if row[0] != "@bucket"]
    parts = ", ".join(map(file_literal, sorted((folder / "events").glob("*.parquet"))))
    con.execute(
        f"""CREATE TABLE stored AS SELECT {", ".join(map(quoted, names))},
            hash(actor_id) % {BUCKETS} AS "@bucket"
        FROM read_parquet([{parts}]) ORDER BY "@bucket" """
    )
    con.execute(
        f"""CREATE TABLE stored_rejected AS SELECT line, reason, raw, NULL::VARCHAR AS file
        FROM read_parquet({file_literal(folder / "rejected.parquet")})"""
    )


def _telling(mapping: Mapping) -> list[str]:
    """Return the columns that tell whether an event is stored: a filled-in number does not."""
    names = event_columns(mapping)
    filled = {names[source] for source in mapping.impute}
    return [name for name in content_columns(mapping) if name not in filled]


def _drop_known_rejected(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """CREATE OR REPLACE TABLE rejected AS SELECT * EXCLUDE (said, nth, held) FROM (
            SELECT *, row_number() OVER (PARTITION BY said, raw) AS nth FROM (
                SELECT *, concat_ws(' in ', reason, file) AS said FROM rejected))
        LEFT JOIN (SELECT reason AS said, raw, count(*) AS held FROM stored_rejected GROUP BY ALL)
            USING (said, raw)
        WHERE nth > coalesce(held, 0) ORDER BY file, line"""
    )
