"""Columns may be called whatever our own SQL calls something."""

import ast
import re
from pathlib import Path

import pandas as pd
import pytest

import core.logs
from core.logs.frames import actions, read_events, read_mapping, read_sequences
from core.logs.importing import import_log
from core.logs.mapping import Mapping, canonical_names
from core.logs.measuring import measure_actor
from core.logs.proposal import inspect_log
from core.store.home import Home
from core.tokens import Tokenizer

ROLES = {"actor": "who", "time": "when", "action": "what", "item": "on", "event_id": "id",
         "amount": "paid"}  # fmt: skip
ONCE_BROKE = ["bucket", "x", "key", "first", "back", "home", "place", "times", "of_item", "group",
              "first_row", "filename", "file_row_number", "rowid", "2nd"]  # fmt: skip
_SQL = re.compile(r"\b(SELECT|FROM|OVER|FILTER|MACRO|CASE|lambda|read_parquet)\b")


def bare_names() -> list[str]:
    """Return the words of all our SQL that are not called: its tables, columns, aliases."""
    found: set[str] = set()
    for file in Path(core.logs.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            text = "{}".join(
                part.value
                for part in parts
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            )
            if _SQL.search(text) and not text.endswith("."):  # which a sentence does
                found |= set(re.findall(r"\b[a-z]\w*\b(?! *\()", text))
    return sorted(found - set(ROLES.values()))


def log_of(names: list[str], *, actors: int) -> str:
    """Write a log whose extra columns have these names, with an unusable row and a repeated one."""
    rows = [
        [f"u{n % actors}", f"2026-01-01 10:{n // 60:02}:{n % 60:02}", "view", f"i{n % 3}", f"e{n}",
         "5", *(str((n + place) % 4 or "") for place in range(len(names)))]
        for n in range(6 * actors)
    ]  # fmt: skip
    rows += [rows[-1], [*rows[0][:1], "soon", *rows[0][2:]]]
    return "\n".join(",".join(row) for row in [[*ROLES.values(), *names], *rows]) + "\n"


KINDS = ("numeric", "categorical", "entity")
EVERY = dict.fromkeys(bare_names(), "categorical")  # of other kinds it takes minutes
TURNS = [
    {name: KINDS[(place + turn) % 3] for place, name in enumerate(ONCE_BROKE)} for turn in range(3)
]


@pytest.mark.parametrize("kinds", [EVERY, *TURNS], ids=["every name", *"012"])
def test_a_column_may_be_called_like_anything_in_our_sql(
    home: Home, tmp_path: Path, kinds: dict[str, str]
) -> None:
    names = list(kinds)
    numeric = [name for name, kind in kinds.items() if kind == "numeric"]
    mapping = Mapping.model_validate(
        {
            "roles": ROLES,
            "columns": kinds,
            "duplicates": "drop",
            "format": {"kind": "csv", "header": True, "delimiter": ","},
            "impute": dict.fromkeys(numeric, "item_median"),
        }
    )
    (tmp_path / "log.csv").write_text(log_of(names, actors=4))
    assert "problem" not in inspect_log(tmp_path / "log.csv", mapping=mapping).quality
    dataset = import_log(home, tmp_path / "log.csv", mapping=mapping)
    assert (dataset.accepted, dataset.rejected, dataset.duplicate) == (24, 1, 1)
    (tmp_path / "more.csv").write_text(log_of(names, actors=5))
    dataset = import_log(home, tmp_path / "more.csv", into=dataset.id)
    mapping = read_mapping(home, dataset.id)
    events, sequences = read_events(home, dataset.id), read_sequences(home, dataset.id)
    assert set(canonical_names(mapping).values()) <= set(events)
    assert len(events) == dataset.accepted > 24
    tokenizer = Tokenizer.fit(mapping, actions(home, dataset.id), [events], sequences)
    assert len(tokenizer.encode(events, sequences)) == len(sequences)
    own = events[events["actor_id"] == "u1"].reset_index(drop=True)
    pd.testing.assert_frame_equal(measure_actor(own, mapping), own)


def test_a_parquet_log_may_have_columns_called_as_the_database_calls_its_own(
    home: Home, tmp_path: Path
) -> None:
    names = ["filename", "file_row_number", "user", "item"]
    rows = [("a", 7, "u1", "i1"), ("b", 8, "u2", "i1")]
    for file in ("one.parquet", "two.parquet"):
        pd.DataFrame(rows, columns=names).to_parquet(tmp_path / file)
    columns = {"filename": "categorical", "file_row_number": "numeric"}
    mapping = Mapping.model_validate({"columns": columns})
    dataset = import_log(home, tmp_path / "*.parquet", mapping=mapping)
    events = read_events(home, dataset.id).sort_values("row")
    assert events["filename"].tolist() == ["a", "b", "a", "b"]
    assert events["file_row_number_"].tolist() == [7, 8, 7, 8]
