"""The decision panel of a case: verdicts, skip and undo, each one key.

Every case has buttons of its own: a button that was clicked keeps the focus, and Space or Enter
would press it again on the next case, unseen. Skip is N, not Space, for the same reason.
"""

import time

import pandas as pd
import streamlit as st

from core.errors import SpoorError
from core.review.deciding import DECISIONS, covered_sequences, decide, undo
from core.schema import SCHEMES
from core.store import cases
from core.store.cases import Case
from core.store.impressions import LAST
from pages._common import ago, analyst, home, most_like, text

KEYS = {"confirmed": "A", "legitimate": "X", "unclear": "U"}


def draw_decision(case: Case, standing: pd.DataFrame, waiting: int) -> None:
    """Draw the panel that is always in sight."""
    decided = not standing.empty
    number = len(covered_sequences(case))
    note_shown(case.id, LAST)
    st.markdown("**Your decision**")
    if decided:
        last = standing.iloc[0]
        st.info(
            f"**{DECISIONS[last['decision']]}**, {text(last['analyst'])}, {ago(last['created_at'])}"
        )
    else:
        st.caption(f"Covers {number} sequence{'s' if number > 1 else ''}. {waiting:,} waiting.")
    for decision, label in DECISIONS.items():
        st.button(
            label,
            key=f"verdict-{decision}-{case.id}",
            shortcut=KEYS[decision],
            on_click=_on_verdict,
            args=(case.id, decision),
            disabled=decided,
            width="stretch",
        )
    if guess := most_like(case.likely_scheme, case.likely_share):
        st.caption(f"Most like: {text(guess)}")
    st.selectbox(
        "Scheme, if it is abuse",
        list(SCHEMES),
        index=None,
        format_func=SCHEMES.__getitem__,
        key=f"scheme-{case.id}",
        disabled=decided,
        placeholder="not named",
    )
    st.text_area("Note", key=f"note-{case.id}", height=76, disabled=decided, max_chars=2000)
    draw_onward(case, "Next" if decided else "Skip")


def draw_onward(case: Case, label: str) -> None:
    """Draw the buttons that leave the case, for another one or for what was decided last."""
    st.button(
        label,
        key=f"skip-{case.id}",
        shortcut="N",
        on_click=_on_skip,
        args=(case.id, case.dataset_id),
        width="stretch",
    )
    draw_undo(case.id)


def draw_undo(case_id: int | None = None) -> None:
    """Draw the button that takes back what was decided last."""
    key = f"undo-{case_id}"
    st.button("Undo", key=key, shortcut="Backspace", on_click=_on_undo, width="stretch")


def note_shown(case_id: int, stage: str) -> None:
    """Note since when this sitting shows a case, and how much of it."""
    if st.session_state.get("shown", ())[:2] != (case_id, stage):
        st.session_state["shown"] = (case_id, stage, time.monotonic())


def seconds_shown(case_id: int, stage: str) -> float | None:
    """Return for how long the case has been in sight like that, if it is."""
    *what, since = st.session_state.get("shown", (None,))
    return time.monotonic() - since if what == [case_id, stage] else None


def _on_verdict(case_id: int, decision: str) -> None:
    scheme = st.session_state.get(f"scheme-{case_id}")
    note = st.session_state.get(f"note-{case_id}") or ""
    try:
        following = decide(
            home(),
            case_id,
            decision,
            analyst=analyst(),
            scheme=scheme,
            note=note,
            skipping=_skipped(),
            seconds=seconds_shown(case_id, LAST),
        )
    except SpoorError as error:
        st.toast(text(str(error)), icon=":material/block:")
    else:
        st.toast(f"{DECISIONS[decision]}. Backspace takes it back.", icon=":material/check:")
        _show(following)


def _on_skip(case_id: int, dataset_id: str) -> None:
    """Put a case aside and open the next one; after the last, begin again."""
    aside = [*_skipped(), case_id]
    with home().engine.connect() as con:
        following = cases.next_open(con, dataset_id, skipping=aside)
        if following is None:
            aside = [case_id]
            following = cases.next_open(con, dataset_id, skipping=aside)
    st.query_params["skipped"] = ",".join(str(number) for number in aside)
    if following is None:
        st.toast("No other case waits.")
    else:
        _show(following)


def _on_undo() -> None:
    try:
        _show(undo(home(), analyst()))
    except SpoorError as error:
        st.toast(text(str(error)), icon=":material/block:")


def _skipped() -> list[int]:
    """Return the cases put aside in this sitting; they are in the URL."""
    return [int(part) for part in st.query_params.get("skipped", "").split(",") if part.isdecimal()]


def _show(case_id: int | None) -> None:
    if case_id is None:
        st.query_params.pop("case", None)
    else:
        st.query_params["case"] = str(case_id)
