"""Facts computed along the orders that they need: each order is sorted once, into a table.

Windows over a table that lies in order already are streamed, at a tenth of what a window with a
partition costs (`EXPLAIN` calls them STREAMING_WINDOW). The source comes in the main order, an
actor's or an item's events one after another. What needs another order is computed in a copy of
the table, sorted back, and put beside it row by row.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd

from core.logs.engine import quoted
from core.logs.fact import SO_FAR, Fact, Helper

_JUMP = 3600 * 1_000_000 + 1  # microseconds: more than any trailing time
_OLDER = re.compile(r'"@older_(\d+)(\w*)"')

Definitions = Mapping[str, Fact | Helper]


@dataclass(frozen=True)
class Table:
    """A temporary table to make."""

    name: str
    query: str

    def make(self, con: duckdb.DuckDBPyConnection) -> None:
        """Create the table."""
        con.execute(f"CREATE OR REPLACE TEMP TABLE {self.name} AS {self.query}")

    def prepare(self, con: duckdb.DuckDBPyConnection) -> None:
        """Plan how to fill the table again."""
        con.execute(f"PREPARE fill_{self.name} AS INSERT INTO {self.name} {self.query}")

    def fill(self, con: duckdb.DuckDBPyConnection) -> None:
        """Fill the table, empty, as prepared."""
        con.execute(f"EXECUTE fill_{self.name}")


@dataclass(frozen=True)
class Older:
    """A temporary table of how many events above are older, row by row beside `source`."""

    name: str
    source: str
    wanted: tuple[tuple[int, str], ...]  # seconds, helper that marks what counts

    def make(self, con: duckdb.DuckDBPyConnection) -> None:
        """Create the table."""
        counted = self.counted(con)
        con.register("counted", counted)
        con.execute(f"CREATE OR REPLACE TEMP TABLE {self.name} AS FROM counted")
        con.unregister("counted")

    def prepare(self, con: duckdb.DuckDBPyConnection) -> None:
        """Nothing is to be planned."""

    def fill(self, con: duckdb.DuckDBPyConnection) -> None:
        """Fill the table, empty."""
        con.append(self.name, self.counted(con))

    def counted(self, con: duckdb.DuckDBPyConnection) -> pd.DataFrame:
        """Return the counts, a column for each that is wanted.

        A binary search in times that run on from group to group: between two groups, and between
        events far apart, they go on by more than any trailing time.
        """
        marks = sorted({marked for _, marked in self.wanted if marked})
        cells = "".join(f", {mark} = 1 AS {mark}" for mark in marks)
        found = con.execute(
            f'SELECT epoch_us(ts) AS ts, "@at" = "@first" AS new{cells} FROM {self.source}'
        ).fetchnumpy()
        gaps = np.diff(found["ts"], prepend=0)
        times = np.cumsum(np.where(found["new"], _JUMP, np.minimum(gaps, _JUMP)))
        counts = {}
        for seconds, marked in self.wanted:
            those = times[found[marked]] if marked else times
            counts[f"@older_{seconds}{marked}"] = np.searchsorted(
                those, times - seconds * 1_000_000
            )
        return pd.DataFrame(counts)


Step = Table | Older


def steps_of(
    source: str, by: tuple[str, ...], wanted: Iterable[str], known: Definitions, cells: str
) -> tuple[list[Step], str]:
    """Return the steps to take first, and the query of facts then: its rows lie as in `source`.

    Parameters
    ----------
    source
        SQL of the events, in the order `by`.
    wanted, known
        Names of facts, and the definitions of all facts and helpers.
    cells
        What the query selects.
    """
    needed = _needed(wanted, known)
    main = {name: it for name, it in needed.items() if it.by == by or _is_plain(it)}
    elsewhere = {name: it for name, it in needed.items() if name not in main}
    steps: list[Step] = [Table("base", f"SELECT * FROM {_placed(source, by)}")]
    beside = ["base"]
    for number, order in enumerate(dict.fromkeys(it.by for it in elsewhere.values())):
        there = {name: it for name, it in elsewhere.items() if it.by == order}
        beside.append(f"side_{number}")
        steps += _side(beside[-1], order, there)
    last, query = _along(beside, main, cells)
    return [*steps, *last], query


def _side(name: str, by: tuple[str, ...], definitions: Definitions) -> list[Step]:
    """Return the steps to a table of what needs another order than that of `base`."""
    names = ", ".join(map(quoted, definitions))
    if not by:  # these windows have partitions of their own
        cells = ", ".join(f"{it.sql} AS {quoted(own)}" for own, it in definitions.items())
        return [
            Table(name, f'SELECT {names} FROM (SELECT "@at", {cells} FROM base) ORDER BY "@at"')
        ]
    columns = ", ".join(map(quoted, by))
    source = f'(SELECT {columns}, ts, "@at" AS "@back" FROM base ORDER BY {columns}, "@at")'
    rows = Table(f"{name}_rows", f"SELECT * FROM {_placed(source, by)}")
    steps, query = _along([rows.name], definitions, f'{names}, "@back"')
    return [rows, *steps, Table(name, f'SELECT {names} FROM ({query}) ORDER BY "@back"')]


def _along(beside: list[str], definitions: Definitions, cells: str) -> tuple[list[Step], str]:
    """Return the steps and the query of `cells` from tables that lie side by side."""
    source = " POSITIONAL JOIN ".join(beside)
    steps: list[Step] = []
    if wanted := _older(definitions):
        steps = [Older(f"{beside[0]}_older", source, tuple(wanted))]
        source += f" POSITIONAL JOIN {beside[0]}_older"
    stages, last = _stages(source, definitions)
    return steps, f"{stages} SELECT {cells} FROM {last}"


def _placed(source: str, by: tuple[str, ...]) -> str:
    """Return SQL of `source`, which lies in the order `by`, with `"@at"` and `"@first"`."""
    changes = [f"{column} IS DISTINCT FROM lag({column}) OVER ()" for column in map(quoted, by)]
    starts = " OR ".join(['"@at" = 1', *changes])
    return f"""(SELECT * EXCLUDE ("@starts"),
            max(CASE WHEN "@starts" THEN "@at" END) {SO_FAR} AS "@first"
        FROM (SELECT *, {starts} AS "@starts"
            FROM (SELECT *, row_number() OVER () AS "@at" FROM {source})))"""


def _is_plain(definition: Fact | Helper) -> bool:
    return not definition.by and "PARTITION BY" not in definition.sql


def _older(definitions: Definitions) -> list[tuple[int, str]]:
    found = [pair for it in definitions.values() for pair in _OLDER.findall(it.sql)]
    return [(int(seconds), marked) for seconds, marked in dict.fromkeys(found)]


def _words(sql: str) -> set[str]:
    return set(re.findall(r"\w+", sql)) | {marked for _, marked in _OLDER.findall(sql)}


def _needed(names: Iterable[str], known: Definitions) -> dict[str, Fact | Helper]:
    """Return the definitions of `names` and of whatever they name."""
    found: dict[str, Fact | Helper] = {}
    waiting = list(names)
    while waiting:
        if (name := waiting.pop()) not in found:
            found[name] = known[name]
            waiting += _words(known[name].sql) & set(known)
    return found


def _stages(source: str, definitions: Definitions) -> tuple[str, str]:
    """Return chained SELECTs in which each definition stands after those that it names.

    And as late as it may: the earlier stages carry fewer columns.
    """
    waiting = dict(definitions)
    groups: list[dict[str, Fact | Helper]] = []
    while waiting:
        named = set().union(*(_words(it.sql) - {name} for name, it in waiting.items()))
        last = {name: it for name, it in waiting.items() if name not in named}
        assert last, f"facts name each other in a circle: {sorted(waiting)}"
        groups.insert(0, last)
        waiting = {name: it for name, it in waiting.items() if name in named}
    stages = []
    before = source
    for number, group in enumerate(groups):
        cells = ", ".join(f"{it.sql} AS {quoted(name)}" for name, it in group.items())
        stages.append(f"stage_{number} AS (SELECT *, {cells} FROM {before})")
        before = f"stage_{number}"
    return f"WITH {', '.join(stages)}" if stages else "", before
