"""The quality of a log: numbers, what to know, pictures. For Import and Data sets."""

from typing import Any

import pandas as pd
import streamlit as st

from core.charts import quality as charts
from core.logs.frames import read_rejected
from core.review.exporting import to_csv
from core.wording import duration, percent
from pages._common import CHART, home
from pages._words import text

MOST_REJECTED = 200  # rows on the page; the file holds all of them
REJECTED = {
    "line": st.column_config.NumberColumn("line", format="localized", width=80),
    "reason": st.column_config.TextColumn("because", width="medium"),
    "raw": st.column_config.TextColumn("the row", width="large"),
}


def draw_quality(quality: dict[str, Any], key: str) -> None:
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
    facts = []
    if single:
        share = percent(single / quality["actors"], 1)
        facts.append(f"{single:,} of the actors ({share}) have a single event.")
    if quality["first_ts"] is not None:
        first, last = (str(quality[end])[:16].replace("T", " ") for end in ("first_ts", "last_ts"))
        lasted = duration((pd.Timestamp(last) - pd.Timestamp(first)).total_seconds())
        facts.insert(0, f"From {first} to {last} UTC, {lasted}.")
    st.caption(text(" ".join(facts)))
    if quality["notes"]:
        _draw_notes(quality["notes"])
    else:
        looked_at = {"first": "the first", "whole": "all"}.get(quality.get("rows", "all"))
        rows = "it" if looked_at is None else f"{looked_at} {quality['read']:,} rows"
        st.success(f"Nothing about {rows} needs to be known first.", icon=":material/check:")
    if "vocabulary" in quality:  # a data set imported by an older version has no more to show
        with st.expander("More about its quality", icon=":material/monitoring:"):
            _draw_pictures(quality, key)


def draw_rejected(dataset_id: str) -> None:
    """Draw the rejected rows of a data set and offer all of them as a file."""
    rejected = read_rejected(home(), dataset_id)
    if rejected.empty:
        return
    with st.expander(f"Rejected rows ({len(rejected):,})", icon=":material/playlist_remove:"):
        _draw_rows(rejected.head(MOST_REJECTED))
        st.download_button(
            "All of them as CSV",
            lambda: to_csv(rejected),
            f"{dataset_id}-rejected.csv",
            "text/csv",
            icon=":material/download:",
            key=f"rejected-{dataset_id}",
        )


def draw_first_rejected(quality: dict[str, Any]) -> None:
    """Draw the first rejected rows of a look at a log."""
    if rows := quality.get("rejected_rows"):
        with st.expander(
            f"Rejected rows (the first {len(rows)})", icon=":material/playlist_remove:"
        ):
            _draw_rows(pd.DataFrame(rows))


def _draw_rows(rejected: pd.DataFrame) -> None:
    st.dataframe(rejected, hide_index=True, column_config=REJECTED, placeholder="")


def _draw_notes(notes: list[str]) -> None:
    lines = [text(note) if note.endswith(":") else f"- {text(note)}" for note in notes]
    st.info("**What to know first**\n\n" + "\n".join(lines), icon=":material/info:")


def _draw_pictures(quality: dict[str, Any], key: str) -> None:
    timed = quality["events_over_time"] is not None
    pictures = {
        "Over time": charts.events_over_time(quality) if timed else None,
        "Sequences": charts.sequence_lengths(quality),
        "Missing": charts.missing(quality),
        "Heaviest actors": charts.heaviest_actors(quality),
        "Outliers": charts.outliers(quality),
        "Rare values": charts.vocabulary(quality),
    }
    nothing = {
        "Over time": "The log has no time.",
        "Missing": "Every event has a value in every column.",
        "Outliers": "No number lies far outside what its column usually holds.",
        "Rare values": "No column of words is mapped.",
    }
    for place, (name, figure) in zip(st.tabs(list(pictures)), pictures.items(), strict=True):
        if figure is None:
            place.caption(nothing[name])
        else:
            place.plotly_chart(figure, config=CHART, key=f"{key}-{name}")
