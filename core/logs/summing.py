"""The sequences of a data set: a row for each with its profile and what lowers the trust in it."""

from collections.abc import Mapping as Named
from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from core.logs.companions import companion_facts, company_sql
from core.logs.engine import file_literal, one_row, quoted, to_arrow
from core.logs.events import BUCKETS
from core.logs.fact import numeric_columns
from core.logs.mapping import Mapping
from core.logs.ordered import Flags, Places
from core.logs.per_sequence import Edges, Sequences
from core.logs.profiles import profile_facts
from core.logs.sequencing import Cut, Loaded, Part
from core.schema import Column, Trust

_PATTERN = "@pattern"  # tells a sequence's counts by action apart
_LIKE = "pattern_count"


def read_edges(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> Edges:
    """Return the lowest and the highest value of each numeric column of `accepted`."""
    names = numeric_columns(mapping)
    cells = [f"{side}({quoted(name)})" for name in names for side in ("min", "max")]
    _, *found = one_row(con, f"SELECT {', '.join(['count(*)', *cells])} FROM accepted")
    return dict(zip(names, zip(found[::2], found[1::2], strict=True), strict=True))


def profiles_of(
    loaded: Loaded,
    cut: Cut,
    mapping: Mapping,
    actions: Sequence[str],
    edges: Edges,
    doubts: Named[str, Flags],
) -> pa.Table:
    """Return the sequences of a part of the log, with what the part alone tells of them.

    Parameters
    ----------
    doubts
        Column of `Trust` -> the events that lower the trust, (N,).
    """
    table, size = loaded.table, len(cut.sizes)
    sequences = Sequences(loaded.events, cut.place, cut.sizes, edges)
    first, last = None, None
    if mapping.roles.time:
        first, last = sequences.lowest(sequences.times), sequences.highest(sequences.times)
    amount = sequences.sum(sequences["amount"]) if mapping.roles.amount else np.full(size, np.nan)
    facts = {fact.name: fact for fact in profile_facts(mapping, actions)}
    found: dict[str, pa.Array] = {
        Column.SEQUENCE: cut.ids,
        Column.ACTOR: table[Column.ACTOR].take(cut.first).cast("string"),
        Column.SESSION: _sessions(table, sequences),
        Column.FIRST: _moments(first, size),
        Column.LAST: _moments(last, size),
        Column.EVENTS: pa.array(cut.sizes),
        Column.AMOUNT: _numbers(amount),
        Column.PARTITION: pa.array(np.full(size, loaded.part.number, dtype=np.int32)),
        _PATTERN: pa.array(_patterns(table, sequences)),
    }
    for name, fact in facts.items():
        if fact.compute is not None and name not in found:
            found[name] = _numbers(fact.of_frame(fact.compute(sequences)))
    for name, flags in doubts.items():
        found[name] = pa.array(sequences.count(flags[cut.place]).astype(np.int32))
    found[Trust.CUT] = pa.array(cut.whole > mapping.sequence.max_events)
    return pa.table(found)


def write_sequences(
    con: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    actions: Sequence[str],
    profiles: Named[Part, Path],
    target: Path,
) -> None:
    """Write the sequences of all parts, and what only all of them tell; needs `companions`.

    They lie in the order of the parts: sorting all would take memory that grows with the log.
    """
    names = [fact.name for fact in profile_facts(mapping, actions) if fact.name != Column.EVENTS]
    columns = [
        *(Column.SEQUENCE, Column.ACTOR, Column.SESSION, Column.FIRST, Column.LAST, Column.EVENTS),
        *(Column.AMOUNT, Column.PARTITION, *names, *Trust.COLUMNS),
    ]
    files = ", ".join(map(file_literal, profiles.values()))
    con.execute(
        f"""CREATE TABLE patterns AS SELECT "{_PATTERN}", count(*) - 1 AS alike
        FROM read_parquet([{files}]) GROUP BY "{_PATTERN}" """
    )
    company = "".join(f", {company_sql(fact.name)}" for fact in companion_facts(mapping))
    writer = None
    for part, file in profiles.items():
        found = to_arrow(
            con,
            f"""SELECT CAST(alike AS DOUBLE) AS {_LIKE}{company}
            FROM read_parquet({file_literal(file)}, file_row_number = true)
                JOIN patterns USING ("{_PATTERN}") LEFT JOIN (
                    FROM companions WHERE actor % {BUCKETS} BETWEEN {part.first} AND {part.last}
                ) AS companions ON companions.actor = hash(actor_id)
            ORDER BY file_row_number""",
        )
        table = pq.read_table(file)
        for name in found.column_names:
            table = table.append_column(name, found[name])
        table = table.select(columns)
        writer = writer or pq.ParquetWriter(target, table.schema, compression="zstd")
        writer.write_table(table)
    assert writer is not None, "there is one part at least"
    writer.close()


def _sessions(table: pa.Table, sequences: Sequences) -> pa.Array:
    """Return the session that all events of a sequence are of, if there is one."""
    number = sequences[Column.SESSION]
    lowest = sequences.lowest(number)
    told = np.where(lowest == sequences.highest(number), lowest, -1)
    return table[Column.SESSION].chunk(0).dictionary.take(pa.array(told, mask=told < 0))


def _moments(micros: Places | None, size: int) -> pa.Array:
    kind = pa.timestamp("us")
    return pa.nulls(size, kind) if micros is None else pa.array(micros).cast(kind)


def _numbers(values: np.ndarray) -> pa.Array:
    return pa.array(values, from_pandas=True)


def _patterns(table: pa.Table, sequences: Sequences) -> np.ndarray:
    """Return a number that is equal for sequences with the same counts by action."""
    words = table[Column.ACTION].chunk(0).dictionary.to_pandas().to_numpy(object)
    hashes = np.append(pd.util.hash_array(words), np.uint64(0))
    return sequences.total(hashes[sequences[Column.ACTION]])
