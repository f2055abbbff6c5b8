"""What the resident engine of this server is doing, in plain words."""

import sys

import streamlit as st


def draw_engine() -> None:
    """Say where models compute, how fast, and whether anybody waits."""
    # Nothing has been asked of a model yet, and torch takes seconds to import: so not for this.
    if "core.scoring.resident" not in sys.modules:
        st.caption("No model is loaded on this server yet: the first explanation loads it.")
        return
    from core.scoring.resident import statuses

    for status in statuses():
        where = "the processor" if status.device == "cpu" else f"the GPU ({status.device})"
        said = [f"Models compute on {where} and take {status.memory / 1e6:,.0f} MB there"]
        if status.sequences_per_second:
            said.append(f"lately {status.sequences_per_second:,.0f} sequences a second")
        said.append(f"{status.waiting} requests wait" if status.waiting else "nobody waits")
        st.caption("; ".join(said) + ".")
