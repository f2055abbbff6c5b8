"""Where an import goes: a data set of its own, or one that is there."""

from pathlib import Path

import streamlit as st

from core.logs.mapping import Mapping
from core.store import datasets
from pages._common import home

NEW = ""


def choose_target(path: str, columns: list[str]) -> str | None:
    """Return the id of the data set to add to, or None for a new one.

    Offered are those whose columns the file has; proposed is what came from a file of its name.
    """
    with home().engine.connect() as con:
        known = datasets.all_datasets(con)
    fitting = known[[_columns_of(mapping) <= set(columns) for mapping in known["mapping"]]]
    if fitting.empty:
        return None
    names = dict(zip(fitting["id"], fitting["name"], strict=True))
    same = fitting[fitting["source"].map(_name_of) == _name_of(path)]["id"]
    options = [NEW, *names]
    chosen = st.selectbox(
        "Import as",
        options,
        index=options.index(same.iloc[0]) if len(same) else 0,
        format_func=lambda key: f"More of {names[key]}" if key else "A new data set",
        help="More of a data set: rows that it holds already are left out, and its own "
        "columns and name stay.",
        key=f"target_{path}",
        width=320,
    )
    return str(chosen) if chosen else None


def _columns_of(mapping: dict[str, object]) -> set[str]:
    decided = Mapping.model_validate(mapping)
    return {*decided.roles.taken(), *decided.columns}


def _name_of(path: str) -> str:
    return Path(path).name
