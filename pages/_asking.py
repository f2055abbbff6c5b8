"""Ask for cases to learn from: who joins the queue because a verdict would teach much."""

import streamlit as st

from pages._common import home, refusals

STRATEGIES = {
    "outlier_then_margin": "the unusual at first, then where the model is least sure",
    "margin": "where the model is least sure",
    "random": "by chance: the only ones that rates can be estimated from",
}
FEWEST, USUAL, MOST = 1, 25, 500
SOURCES = {"margin": "least sure of", "outlier": "unusual", "random": "drawn by chance"}


def draw_asking(dataset_id: str, *, blind: bool) -> None:
    """Offer to put cases into the queue that the next training learns most from."""
    if said := st.session_state.pop("asked", None):
        st.success(said, icon=":material/done:")
    with st.expander("Cases to learn from", icon=":material/school:"):
        first = "come first in the queue, those drawn by chance among the others, and"
        st.caption(
            "The queue holds what looks like abuse. A model learns more from cases it cannot judge "
            "yet: ask for some, decide them, then train again. They "
            f"{'stand among the others and' if blind else first} leave the queue when the log is "
            "scored again."
        )
        with st.form("asking", border=False):
            many, how = st.columns([1, 3])
            size = many.number_input("How many", FEWEST, MOST, value=USUAL)
            strategy = how.selectbox("Chosen", list(STRATEGIES), format_func=STRATEGIES.__getitem__)
            sent = st.form_submit_button(
                "Put the cases the model can learn most from into the queue",
                icon=":material/playlist_add:",
            )
        if sent:
            _ask(dataset_id, strategy, int(size))


def _ask(dataset_id: str, strategy: str, size: int) -> None:
    with refusals(), st.spinner("Choosing whom to ask about ..."):
        from core.review.asking import ask  # scikit-learn: too slow to import with the page

        added = ask(home(), dataset_id, strategy, size)
    counts = added["source"].value_counts()
    parts = ", ".join(f"{counts[one]} {SOURCES[one]}" for one in SOURCES if one in counts)
    short = f" Only {len(added)} could still be asked about." if len(added) < size else ""
    st.session_state["asked"] = f"{len(added)} cases joined the queue: {parts}.{short}"
    st.rerun()
