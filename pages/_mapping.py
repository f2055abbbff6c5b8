"""The mapping editor of Import: roles, sequences, kinds."""

from typing import Any, get_args

import pandas as pd
import streamlit as st

from core.logs.mapping import MOST_EVENTS, ROLES, Kind, Mapping

ROLE_WORDS = {
    "actor": "Who acts",
    "session": "Session",
    "time": "When",
    "action": "What is done",
    "item": "To which item",
    "amount": "For how much",
    "event_id": "Id of the event",
}
CUTS = {"session": "by session", "gap": "by a pause", "actor": "one per actor", "window": "windows"}


def edit_roles(path: str, columns: list[str], proposed: Mapping) -> dict[str, str | None]:
    """Let the analyst correct which column plays which part."""
    chosen: dict[str, str | None] = {}
    places = st.columns(4)
    for number, role in enumerate(ROLES):
        chosen[role] = places[number % 4].selectbox(
            ROLE_WORDS[role],
            [None, *columns],
            index=[None, *columns].index(getattr(proposed.roles, role)),
            format_func=lambda column: column or "no column",
            key=f"role-{role}-{path}",
        )
    return chosen


def edit_rule(path: str, proposed: Mapping) -> dict[str, Any]:
    """Let the analyst say how events become sequences."""
    by_place, gap_place, most_place = st.columns([2, 1, 1], vertical_alignment="bottom")
    rule = proposed.sequence
    by = by_place.segmented_control(
        "Sequences", list(CUTS), default=rule.by, format_func=CUTS.__getitem__, required=True,
        key=f"by-{path}",
    )  # fmt: skip
    gap = gap_place.number_input(
        "Pause, minutes", 1.0, value=float(rule.gap_minutes), disabled=by != "gap"
    )
    most = most_place.number_input(
        "Longest, events", 1, MOST_EVENTS, value=64 if by == "window" else 256
    )
    return {"by": by, "gap_minutes": gap, "max_events": most}


def edit_kinds(path: str, inspected: pd.DataFrame, roles: dict[str, str | None]) -> dict[str, str]:
    """Let the analyst correct what the other columns are."""
    kinds = list(get_args(Kind))
    table = inspected.assign(kind=inspected["role_or_kind"].where(
        inspected["role_or_kind"].isin(kinds)
    ))  # fmt: skip
    order = ["name", "kind", "reason", "type", "example", "missing", "distinct"]
    edited = st.data_editor(
        table[order],
        hide_index=True,
        disabled=[name for name in order if name != "kind"],
        column_config={
            "name": st.column_config.TextColumn("column", width="medium"),
            "kind": st.column_config.SelectboxColumn("kind", options=kinds, width=110),
            "reason": st.column_config.TextColumn("because", width="medium"),
            "missing": st.column_config.NumberColumn(format="percent", width=80),
            "distinct": st.column_config.NumberColumn("different", format="localized", width=80),
        },
        key=f"kinds-{path}",
        placeholder="",
    )
    taken = set(roles.values())
    free = edited[~edited["name"].isin(taken) & edited["kind"].notna()]
    return dict(zip(free["name"], free["kind"], strict=True))
