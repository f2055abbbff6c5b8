"""The mapping editor of Import: roles, times, kinds."""

from functools import cache
from typing import Any, get_args
from zoneinfo import available_timezones

import pandas as pd
import streamlit as st

from core.logs.guessing import LIKELY, SURE
from core.logs.mapping import ROLES, Count, Kind
from core.logs.proposal import Inspection
from core.logs.times import format_of, is_local, leads_with_day_or_month
from core.wording import counted, percent
from pages._words import text

ROLE_WORDS = {
    "actor": "Who acts",
    "session": "Session",
    "time": "When",
    "action": "What is done",
    "item": "To which item",
    "amount": "For how much",
    "event_id": "Id of the event",
}
REASON = 440  # pixels, for the longest of them


def edit_roles(place: str, first: Inspection) -> dict[str, str | None]:
    """Let the analyst correct which column plays which part; a proposal says why."""
    columns = first.columns.set_index("name")
    chosen: dict[str, str | None] = {}
    places = [*st.columns(4), *st.columns(4)]  # rows of their own: reasons differ in length
    for number, role in enumerate(ROLES):
        proposed = getattr(first.mapping.roles, role)
        with places[number]:
            chosen[role] = st.selectbox(
                ROLE_WORDS[role],
                [None, *columns.index],
                index=[None, *columns.index].index(proposed),
                format_func=lambda column: column or "no column",
                key=f"role-{role}-{place}",
            )
            if proposed is not None and chosen[role] == proposed:
                because = columns.loc[proposed]
                st.caption(text(f"{trust(because['confidence'])}: {because['reason']}"))
    return chosen


def trust(confidence: float) -> str:
    """Say how far a guess can be trusted."""
    word = "sure" if confidence >= SURE else "likely" if confidence >= LIKELY else "PLEASE CHECK"
    return f"{word}, {percent(confidence)}"


def edit_times(place: str, first: Inspection, column: str | None) -> dict[str, Any]:
    """Let the analyst say how times are meant that do not say it themselves."""
    rule = first.mapping.time
    zone_place, day_place = st.columns(2, vertical_alignment="bottom")
    zone = zone_place.selectbox(
        "Times without a zone are taken as",
        _zones(),
        index=_zones().index(rule.zone),
        disabled=column is None,
        key=f"zone-{place}",
    )
    examples = first.columns.set_index("name")["example"]
    example = None if column is None else examples[column]
    either = example is not None and leads_with_day_or_month(format_of(example))
    day_first = day_place.toggle(
        "Dates begin with the day (31/12/2019)",
        rule.day_first,
        disabled=not either,
        key=f"day-{place}",
    )
    if example is not None and is_local(example):
        zone_place.caption("The times of this log name no zone: choose the shop's.")
    if column is None:
        st.caption("No column says when: the rows of an actor are taken in the order of the file.")
    for note in first.notes:
        st.caption(text(f"PLEASE CHECK: {note}"))
    chosen = {"zone": zone, "day_first": day_first}
    if rule.clock is not None and column == first.mapping.roles.time:
        others = [None, *(name for name in examples.index if name != column)]
        chosen["clock"] = zone_place.selectbox(
            f"The time of day, read together with '{column}'",
            others,
            index=others.index(rule.clock),
            format_func=lambda name: name or "no column",
            key=f"clock-{place}",
        )
    types = first.columns.set_index("name")["type"]
    if column is not None and "number" in types[column] and format_of(str(example)) is None:
        units = get_args(Count)
        chosen["counts"] = zone_place.selectbox(
            f"'{column}' counts", units, index=units.index(rule.counts or units[0]),
            key=f"counts-{place}-{column}",
            help="From a start that the log does not say, or days as spreadsheets write dates.",
        )  # fmt: skip
    return chosen


@cache
def _zones() -> list[str]:
    return ["UTC", *sorted(available_timezones() - {"UTC"})]


def edit_kinds(place: str, inspected: pd.DataFrame, roles: dict[str, str | None]) -> dict[str, str]:
    """Let the analyst correct what the other columns are."""
    kinds = list(get_args(Kind))
    is_kind = inspected["role_or_kind"].isin(kinds)
    unsure = inspected[is_kind & (inspected["confidence"] < LIKELY)]["name"]
    if len(unsure):
        guesses = counted(len(unsure), "unsure guess")
        st.caption(text(f"PLEASE CHECK {guesses}: {', '.join(unsure)}."))
    table = inspected.assign(
        kind=inspected["role_or_kind"].where(is_kind), trust=inspected["confidence"].map(trust)
    )
    order = ["name", "kind", "trust", "reason", "type", "example", "missing", "distinct"]
    edited = st.data_editor(
        table[order],
        hide_index=True,
        disabled=[name for name in order if name != "kind"],
        column_config={
            "name": st.column_config.TextColumn("column", width=160),
            "kind": st.column_config.SelectboxColumn("kind", options=kinds, width=110),
            "trust": st.column_config.TextColumn("how sure", width=130),
            "reason": st.column_config.TextColumn("because", width=REASON),
            "missing": st.column_config.NumberColumn(format="percent", width=80),
            "distinct": st.column_config.NumberColumn("different", format="localized", width=80),
        },
        key=f"kinds-{place}",
        placeholder="",
    )
    taken = set(roles.values())
    free = edited[~edited["name"].isin(taken) & edited["kind"].notna()]
    return dict(zip(free["name"], free["kind"], strict=True))
