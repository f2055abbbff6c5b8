"""Two sequences beside each other, event by event."""

from typing import Any

import pandas as pd
import streamlit as st

from core.charts import score_line
from core.charts.side_by_side import Side, side_by_side
from core.explain.aligning import Pair, align, alike
from core.logs.frames import read_events
from core.schema import Column
from core.store.cases import Case
from core.wording import duration
from pages._common import CHART, home
from pages._sitting import open_case
from pages._words import text
from pages._working import PENDING, Work, draw_state, look


def draw_beside(case: Case, events: pd.DataFrame, work: Work, other: "pd.Series[Any]") -> None:
    other_id, actor = str(other["sequence_id"]), str(other["actor_id"])
    theirs = read_events(home(), case.dataset_id, sequences=[other_id])
    beside = look(work.model_id, case.dataset_id, other_id, work.threshold)
    if work.why is None or beside.why is None:
        draw_state(work if work.why is None else beside)
        return
    left = Side("this case", _actions(events), [part["value"] for part in work.why["events"]])
    right = Side(actor, _actions(theirs), [part["value"] for part in beside.why["events"]])
    pairs = align(left.actions, right.actions)
    same = alike(pairs, left.actions, right.actions)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{same} of {len(left.actions)}** events of this case have an equal one, in the same "
            f"order, among the {len(right.actions)} of **{text(actor)}** (filled marks)."
        )
        if st.button(f"Open {text(actor)}", icon=":material/open_in_new:"):
            open_case(int(other["id"]))
    st.plotly_chart(side_by_side(left, right, pairs), key="side-by-side", config=CHART)
    if work.prefixes and beside.prefixes:
        lines = {"this case": work.prefixes, actor: beside.prefixes}
        st.plotly_chart(score_line.together(lines), key="two-scores", config=CHART)
    else:
        st.caption(f"{PENDING} The scores after each event come in a moment.")
        draw_state(beside if work.prefixes else work)
    with st.expander("Event by event"):
        table = _aligned(pairs, _rows(events, left), _rows(theirs, right), actor)
        st.dataframe(table, hide_index=True, placeholder="")


def _actions(events: pd.DataFrame) -> list[str]:
    return events[Column.ACTION].fillna("no action").astype(str).tolist()


def _rows(events: pd.DataFrame, side: Side) -> pd.DataFrame:
    gaps = events[Column.TIME].diff().dt.total_seconds().map(duration, na_action="ignore")
    return pd.DataFrame(
        {
            "event": [f"{n}. {action}" for n, action in enumerate(side.actions, start=1)],
            "after": gaps.to_numpy(),
            "amount": events[Column.AMOUNT].to_numpy(),
            "moved the score": [f"{value:+.4f}" for value in side.moved],
        }
    ).dropna(axis=1, how="all")


def _aligned(
    pairs: list[Pair], left: pd.DataFrame, right: pd.DataFrame, actor: str
) -> pd.DataFrame:
    """Return one row per pair, the columns of both beside each other."""
    sides = ((left, 0, "this case"), (right, 1, actor))
    # Where nothing stands opposite, position -1 has no row: the cells stay empty.
    halves = [
        part.reindex([-1 if pair[place] is None else pair[place] for pair in pairs])
        .reset_index(drop=True)
        .add_prefix(f"{name}: ")
        for part, place, name in sides
    ]
    return pd.concat(halves, axis=1)
