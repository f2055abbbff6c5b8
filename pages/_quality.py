"""The quality of a log in a few numbers, for Import and Data sets."""

from typing import Any

import streamlit as st

from pages._common import percent, text


def draw_quality(quality: dict[str, Any]) -> None:
    """Draw the quality report, or the one thing that keeps the log out."""
    if "problem" in quality:
        st.error(text(quality["problem"]), icon=":material/block:")
        return
    numbers = {
        "Rows read": quality["read"],
        "Events": quality["accepted"],
        "Rejected": quality["rejected"],
        "Duplicate": quality["duplicate"],
        "Actors": quality["actors"],
        "Sequences": quality["sequences"],
    }
    for place, (label, number) in zip(st.columns(len(numbers)), numbers.items(), strict=True):
        place.metric(label, f"{number:,}")
    single = quality["single_event_actors"]
    facts = [f"{single:,} actors ({percent(single, quality['actors'])}) have a single event."]
    if quality["first_ts"] is not None:
        first, last = (str(quality[end])[:16].replace("T", " ") for end in ("first_ts", "last_ts"))
        facts.insert(0, f"From {first} to {last} UTC, {quality['days']:g} days.")
    st.caption(text(" ".join(facts)))
    notes = list(quality.get("notes", []))
    if quality["rejected_by_reason"]:
        reasons = [f"{why} ({count:,})" for why, count in quality["rejected_by_reason"].items()]
        notes.append(f"Rejected: {'; '.join(reasons)}.")
    if notes:
        st.warning(text(" ".join(notes)), icon=":material/info:")
