"""The decision panel of a case: verdicts, skip and undo, each one key.

Every case has buttons of its own: a button that was clicked keeps the focus, and Space or Enter
would press it again on the next case, unseen. Skip is N, not Space, for the same reason.
"""

import pandas as pd
import streamlit as st

from core.errors import SpoorError
from core.review.deciding import CONFIDENCE, DECISIONS, covered_sequences, decide, undo
from core.schema import SCHEMES
from core.store import cases
from core.store.cases import Case
from core.store.impressions import LAST
from core.wording import percent
from pages._common import analyst, home
from pages._sitting import Sitting, sitting
from pages._words import ago, most_like, text

KEYS = {"confirmed": "A", "legitimate": "X", "unclear": "U"}


def draw_decision(case: Case, standing: pd.DataFrame, waiting: int) -> None:
    """Draw the panel that is always in sight."""
    where = sitting()
    decided = not standing.empty
    number = len(covered_sequences(case))
    st.markdown("**Your decision**")
    if decided:
        last = standing.iloc[0]
        sure = "" if last["confidence"] == 1 else f", {percent(last['confidence'])} sure"
        st.info(
            f"**{DECISIONS[last['decision']]}**{sure}, {text(last['analyst'])}, "
            f"{ago(last['created_at'])}"
        )
    else:
        st.caption(f"Covers {number} sequence{'s' if number > 1 else ''}. {waiting:,} waiting.")
    for decision, label in DECISIONS.items():
        st.button(
            label,
            key=f"verdict-{decision}-{case.id}",
            shortcut=KEYS[decision],
            on_click=_on_verdict,
            args=(where, case.id, decision),
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
    if not decided:
        st.segmented_control(
            "How sure you are",
            list(CONFIDENCE),
            default="sure",
            required=True,
            key=f"sure-{case.id}",
            width="stretch",
            help="A less sure verdict counts for less when a model learns from it.",
        )
    st.text_area("Note", key=f"note-{case.id}", height=76, disabled=decided, max_chars=2000)
    draw_onward(case, LAST, "Next" if decided else "Skip")


def draw_onward(case: Case, stage: str, label: str) -> None:
    """Draw the buttons that leave the case, for another one or for what was decided last."""
    st.button(
        label,
        key=f"skip-{case.id}",
        shortcut="N",
        on_click=_on_skip,
        args=(sitting(), case.id, stage, case.dataset_id),
        width="stretch",
    )
    draw_undo(case.id, stage)


def draw_undo(case_id: int | None = None, stage: str = "") -> None:
    """Draw the button that takes back what was decided last; from then on buttons count."""
    where = sitting()
    where.show(case_id, stage)
    st.button(
        "Undo",
        key=f"undo-{case_id}",
        shortcut="Backspace",
        on_click=_on_undo,
        args=(where, case_id, stage),
        width="stretch",
    )


def _on_verdict(where: Sitting, case_id: int, decision: str) -> None:
    if not where.shows(case_id, LAST):
        return
    typed = st.session_state.to_dict()
    try:
        following = decide(
            home(),
            case_id,
            decision,
            analyst=analyst(typed),
            scheme=typed.get(f"scheme-{case_id}"),
            note=typed.get(f"note-{case_id}") or "",
            confidence=CONFIDENCE[typed.get(f"sure-{case_id}") or "sure"],
            skipping=where.skipped,
            seconds=where.seconds,
        )
    except SpoorError as error:
        st.toast(text(str(error)), icon=":material/block:")
    else:
        where.go(following)
        st.toast(f"{DECISIONS[decision]}. Backspace takes it back.", icon=":material/check:")


def _on_skip(where: Sitting, case_id: int, stage: str, dataset_id: str) -> None:
    """Put a case aside and open the next one; after the last, begin again."""
    if not where.shows(case_id, stage):
        return
    with home().engine.connect() as con:
        where.skipped.append(case_id)
        following = cases.next_open(con, dataset_id, skipping=where.skipped)
        if following is None:
            where.skipped = [case_id]
            following = cases.next_open(con, dataset_id, skipping=where.skipped)
    if following is None:
        st.toast("No other case waits.")
    else:
        where.go(following)


def _on_undo(where: Sitting, case_id: int | None, stage: str) -> None:
    if not where.shows(case_id, stage):
        return
    try:
        where.go(undo(home(), analyst(st.session_state.to_dict())))
    except SpoorError as error:
        st.toast(text(str(error)), icon=":material/block:")
