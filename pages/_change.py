"""What an edit did: to the score, to each event's part in it, and to the reasons."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from core.charts.look import signed
from core.charts.timeline import timeline
from core.explain.edits import Edits
from core.schema import Column
from core.store.models import Model
from pages._common import CHART
from pages._timeline import ABUSE, UNUSUALNESS, Explanation
from pages._words import text

if TYPE_CHECKING:
    from core.explain.whatif import Experiment, WhatIf


@st.cache_data(max_entries=64, show_spinner=False)
def _explained(_experiment: "Experiment", key: str, edits: str, _found: "WhatIf") -> Explanation:
    from core.explain.whatif import explain

    return explain(_experiment, _found).to_dict()


def draw_score(before: float, now: float, threshold: float) -> None:
    """Draw the score now and before, and on which side of the threshold it is."""
    passes, passed = now < threshold, before < threshold
    number, was, word = st.columns([1, 1, 3], vertical_alignment="top")
    moved = now - before
    colour: Any = "orange" if moved > 0 else "violet"
    how: dict[str, Any] = {"delta": signed(moved), "delta_color": colour}
    if not moved:
        how = {"delta": "no change", "delta_color": "gray", "delta_arrow": "off"}
    number.metric("Score now", f"{now:.3f}", **how)
    was.metric("Before", f"{before:.3f}")
    if passes == passed:
        said = "It passes" if passes else "It is flagged"
    else:
        said = "It would pass" if passes else "It would be flagged"
    side = "below" if passes else "at or above"
    word.markdown(f"**{said}**: {side} the threshold of {threshold:.3f}.")


def draw_change(
    experiment: "Experiment",
    key: str,
    found: "WhatIf",
    edits: Edits,
    why: Explanation | None,
    model: Model,
) -> None:
    """Draw the edited sequence, coloured by what moves its score now, and the reasons' change."""
    from core.explain.reasons import Reason
    from core.explain.whatif import changed_reasons, frozen_facts

    place = st.empty()
    by_time = bool(found.events[Column.TIME].notna().all())
    poles = UNUSUALNESS if model.kind == "unusualness" else ABUSE
    grey = timeline(found.events, by_time=by_time)
    place.plotly_chart(grey, key="whatif-grey", config=CHART, alt="Timeline of the edited events")
    with st.spinner("Working out why ..."):
        now = _explained(experiment, key, edits.model_dump_json(), found)
    values = [part["value"] for part in now["events"]]
    coloured = timeline(found.events, by_time=by_time, values=values, poles=poles)
    place.plotly_chart(coloured, key="whatif-why", config=CHART, alt="Timeline, edited")
    if why is not None:
        both = ([Reason(**reason) for reason in one["reasons"]] for one in (why, now))
        st.markdown("**What says so now, and what said so before**")
        lines = [_reason(one.text, one.before, one.after) for one in changed_reasons(*both)[:6]]
        st.markdown("  \n".join(lines))
    with st.popover("Facts that stay as they were", type="tertiary"):
        st.caption(
            "What others did is not changed by editing one actor's events. These facts stay; for "
            "an item or device that is new here they come from its nearest event in the log:"
        )
        facts = frozen_facts(experiment.mapping, experiment.actions)
        st.caption("  \n".join(map(text, facts)) or "none in this log")


def _reason(said: str, before: float | None, after: float | None) -> str:
    value = (after or 0.0) - (before or 0.0)
    colour, arrow = ("orange", "▲") if value > 0 else ("violet", "▼")
    numbers = " → ".join("–" if one is None else signed(one) for one in (before, after))
    return f":{colour}[{arrow}] {numbers} {text(said)}"
