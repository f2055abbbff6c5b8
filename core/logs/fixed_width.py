"""Text in columns of a fixed width, whose values may hold spaces or be missing."""

from collections import Counter
from itertools import pairwise

import duckdb

from core.logs.columns import select_cells
from core.logs.engine import literal
from core.logs.headers import guess_header

_LOOK = 1000  # lines
_STRAY = 0.01  # share of them that may write across the gap between two columns
_ALIKE = 0.98  # share of them with the same number of words: then widths are not needed

Gap = tuple[int, int]  # first blank place between two columns, and where the next column starts


def is_fixed_width(lines: list[str]) -> bool:
    """Tell whether the columns of these lines keep their places though the words do not."""
    looked = lines[:_LOOK]
    words = Counter(len(line.split()) for line in looked)
    return words.most_common(1)[0][1] < _ALIKE * len(looked) and bool(find_gaps(lines))


def find_gaps(lines: list[str]) -> list[Gap]:
    """Return the gaps between the columns; none where there are no columns.

    A gap of one space parts two columns only where the first line names both of them; without
    such a line it belongs to the values.
    """
    looked = [line.rstrip() for line in lines[:_LOOK]]
    gaps = _blank_places(looked)
    rows = [cut(line, gaps) for line in looked]
    if guess_header(rows):
        return [gap for gap, name in zip(gaps, rows[0][1:], strict=True) if name]
    return [gap for gap in gaps if gap[1] - gap[0] > 1]


def cut(line: str, gaps: list[Gap]) -> list[str]:
    """Cut a line at its gaps."""
    edges = [0, *(start for _, start in gaps), len(line)]
    return [line[start:end].strip() for start, end in pairwise(edges)]


def _blank_places(lines: list[str]) -> list[Gap]:
    """Return the places between words that are blank in the first line and nearly all others."""
    filled = Counter(place for line in lines for place, char in enumerate(line) if char != " ")
    often = {place for place, times in filled.items() if times > _STRAY * len(lines)}
    taken = sorted(often | {place for place, char in enumerate(lines[0]) if char != " "})
    return [(before + 1, after) for before, after in pairwise(taken) if after - before > 1]


def create_view_of_fixed(
    con: duckdb.DuckDBPyConnection, columns: list[str], gaps: list[Gap]
) -> None:
    """Create `source` from the table `lines`.

    A value may reach into a gap (later lines hold longer values than the first ones): a line is
    cut at the first blank in each gap, and refused where there is none.
    """
    blanks = ", ".join(f"instr(substr(padded, {end + 1}, {start - end}), ' ')"
                       for end, start in gaps)  # fmt: skip
    cuts = ["0", *(f"({end} + blanks[{n}])" for n, (end, _) in enumerate(gaps, start=1))]
    cells = [f"substr(padded, {a} + 1, {b} - {a} - 1)" for a, b in pairwise(cuts)]
    cells.append(f"substr(padded, {cuts[-1]} + 1)")
    reasons = " ".join(
        f"WHEN blanks[{number}] = 0 THEN "
        + literal(f"a value is written across the edge of column '{column}'")
        for number, column in enumerate(columns[1:], start=1)
    )
    width = gaps[-1][1]
    con.execute(
        f"""CREATE VIEW source AS
        SELECT "@row", "@file", "@line", "@text",
            coalesce("@refused", CASE {reasons} END) AS "@refused",
            {select_cells(columns)}
        FROM (SELECT *, list_transform([{", ".join(cells)}], lambda x: value_of(x)) AS cells
            FROM (SELECT *, [{blanks}] AS blanks
                FROM (SELECT *, "@text" || repeat(' ', {width}) AS padded FROM lines)))"""
    )
