"""What would clear a case, and what of it alone keeps it flagged."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from core.explain.edits import Edits
from pages._bench import Bench
from pages._timeline import Explanation
from pages._words import text

if TYPE_CHECKING:
    from core.explain.counterfactual import Answer, Counterfactual
    from core.explain.whatif import Experiment


@st.cache_data(max_entries=64, show_spinner="Trying what would clear it ...")
def searched(
    _experiment: "Experiment", key: str, threshold: float, _why: Explanation | None
) -> "Counterfactual":
    """Return the fewest events that clear a sequence, and the fewest that alone keep it flagged."""
    from core.explain.counterfactual import find_counterfactual

    values = None if _why is None else [part["value"] for part in _why["events"]]
    return find_counterfactual(_experiment, threshold, attribution=values)


def draw_clearing(
    bench: Bench, sequence_id: str, events: int, search: Callable[[], "Counterfactual"]
) -> None:
    """Draw the button that starts the search, or what it found."""
    if bench.searched:
        _draw_found(bench, events, search())
        return
    st.button(
        "Find what would clear it",
        key=f"whatif-search-{sequence_id}",
        icon=":material/manage_search:",
        on_click=_on_search,
        args=(bench,),
    )


def _on_search(bench: Bench) -> None:
    bench.searched = True


def _draw_found(bench: Bench, events: int, found: "Counterfactual") -> None:
    """Say what would clear the case and what alone keeps it flagged; offer to try it."""
    from core.explain.counterfactual import as_edits

    if found.without is None or found.alone is None:
        st.markdown("It passes already: there is nothing to clear.")
        return

    def offer(answer: "Answer", edits: Edits, name: str) -> None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(text(answer.words))
            if answer.events is not None and edits != bench.edits:
                st.button("Try it", key=f"whatif-{name}", on_click=bench.open, args=(edits,))

    offer(found.without, as_edits(found.without, events), "without")
    offer(found.alone, as_edits(found.alone, events, alone=True), "alone")
