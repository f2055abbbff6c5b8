"""How events become sequences, chosen on Import with a picture of what comes out."""

from typing import Any

import streamlit as st

from core.charts.cutting import whole_sequences
from core.logs.lengths import summarise
from core.logs.mapping import MOST_EVENTS, Mapping
from core.logs.proposal import Inspection
from core.wording import percent
from pages._common import CHART

CUTS = {"session": "by session", "gap": "by a pause", "actor": "one per actor", "window": "windows"}


def edit_rule(place: str, proposed: Mapping) -> dict[str, Any]:
    """Let the analyst say how events become sequences."""
    by_place, gap_place, most_place = st.columns([2, 1, 1], vertical_alignment="bottom")
    rule = proposed.sequence
    by = by_place.segmented_control(
        "Sequences", list(CUTS), default=rule.by, format_func=CUTS.__getitem__, required=True,
        key=f"by-{place}",
    )  # fmt: skip
    gap = gap_place.number_input(
        "Pause, minutes", 1.0, value=float(rule.gap_minutes), disabled=by != "gap"
    )
    usual = 64 if by == "window" else 256
    most = most_place.number_input(
        "Longest, events", 1, MOST_EVENTS, value=rule.max_events if by == rule.by else usual
    )
    return {"by": by, "gap_minutes": gap, "max_events": most}


def draw_lengths(checked: Inspection) -> None:
    """Draw how long sequences come out, in the part of the log that was looked at."""
    if not checked.lengths:
        return
    most = checked.mapping.sequence.max_events
    found = summarise(checked.lengths, most)
    share = f"{found.split:,} of {found.sequences:,} ({percent(found.split / found.sequences, 1)})"
    split = f"{share} are longer than {most:,} and are split." if found.split else "None is split."
    st.caption(
        f"Half of the sequences have up to {found.median:,} event{'s' * (found.median != 1)}, "
        f"95 % up to {found.nearly_all:,}, the longest {found.longest:,}. {split}"
    )
    st.plotly_chart(whole_sequences(checked.lengths, most), config=CHART, key="lengths")
