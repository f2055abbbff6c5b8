"""What a case shows: timeline, reasons, how the score adds up, events, history."""

from typing import Any, Literal

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.charts import attribution
from core.charts.look import duration, plain, signed
from core.charts.timeline import timeline
from core.logs.frames import read_mapping
from core.logs.mapping import extra_columns
from core.logs.trust import low_trust
from core.schema import Column
from pages._common import CHART, home, text

MOST_ROWS = 12  # before the table scrolls
_WHEN = "D MMM YYYY HH:mm:ss"
HISTORY = {
    "created_at": st.column_config.DatetimeColumn("decided (UTC)", format=_WHEN),
    "undone_at": st.column_config.DatetimeColumn("taken back (UTC)", format=_WHEN),
    Column.FIRST: st.column_config.DatetimeColumn("first event (UTC)", format=_WHEN),
    Column.LAST: st.column_config.DatetimeColumn("last event (UTC)", format=_WHEN),
    Column.SCORE: st.column_config.NumberColumn(format="%.3f"),
    Column.AMOUNT: st.column_config.NumberColumn(format="%,.2f"),
}
ABUSE = ("towards abuse", "towards normal")
UNUSUALNESS = ("towards unusual", "towards usual")
Explanation = dict[str, Any]  # as `Explanation.to_dict` makes it


def draw_timeline(
    place: DeltaGenerator,
    events: pd.DataFrame,
    why: Explanation | None,
    *,
    by_time: bool,
    unusualness: bool,
) -> None:
    """Draw the timeline, grey as long as the explanation is not there."""
    parts = [] if why is None else why["events"]
    figure = timeline(
        events,
        by_time=by_time,
        values=[part["value"] for part in parts] or None,
        details=[_strongest(part) for part in parts] or None,
        poles=UNUSUALNESS if unusualness else ABUSE,
    )
    key = "timeline" if parts else "timeline-grey"
    place.plotly_chart(figure, key=key, config=CHART, alt="Timeline of the actor's events")


def draw_trust(sequence: "pd.Series[Any]") -> None:
    """Say what lowers the trust in the score, if anything does."""
    if doubts := low_trust(sequence):
        st.caption(f":material/help: Read the score with care: {text('; '.join(doubts))}.")


def draw_reasons(why: Explanation) -> None:
    """Draw the few sentences that say most."""
    lines = []
    for reason in why["reasons"]:
        colour, arrow = ("orange", "▲") if reason["value"] > 0 else ("violet", "▼")
        at = "" if reason["event"] is None else f" · event {reason['event'] + 1}"
        push = f":{colour}[**{arrow} {signed(reason['value'])}**]"
        lines.append(f"{push} {text(reason['text'])}{at}")
    st.markdown("  \n".join(lines))


def draw_why(why: Explanation) -> None:
    """Draw how base value, whole sequence and events add up to the score."""
    by_event = sum(part["value"] for part in why["events"])
    whole = why["profile"]["value"]
    st.markdown(
        f"Base value **{why['base_value']:.4f}** (everything hidden), whole sequence "
        f"**{whole:+.4f}**, {len(why['events'])} events **{by_event:+.4f}**: together "
        f"**{why['base_value'] + whole + by_event:.4f}**. The score is **{why['score']:.4f}**."
    )
    parts = [why["profile"], *why["events"]]
    names = ["whole sequence", *(f"event {number}" for number in range(1, len(parts)))]
    figure = attribution.by_event(names, [part["value"] for part in parts])
    st.plotly_chart(figure, key="by-event", config=CHART)
    tokens = pd.DataFrame([token for part in parts for token in part["tokens"]])
    joined = tokens.groupby("token", sort=False).agg(
        value=("value", "sum"), words=("words", "first"), times=("value", "size")
    )
    several = joined["times"].map(lambda times: f" ({times} times)" if times > 1 else "")
    figure = attribution.by_token((joined["words"] + several).tolist(), joined["value"].tolist())
    st.plotly_chart(figure, key="by-token", config=CHART)
    st.caption(f"This says what moved the score, not what made the actor act. {_how(why)}")


def draw_events(dataset_id: str, events: pd.DataFrame, why: Explanation | None) -> None:
    """Draw the events as a table, with what each did to the score."""
    extras = [name for name in extra_columns(read_mapping(home(), dataset_id)) if name in events]
    kept = [Column.TIME, Column.ACTION, Column.ITEM, Column.AMOUNT, *extras]
    table = events[kept].dropna(axis=1, how="all").reset_index(drop=True)
    if Column.TIME in table:
        gaps = events[Column.TIME].diff().dt.total_seconds()
        table.insert(1, "after", gaps.map(duration, na_action="ignore").to_numpy())
    if why is not None:
        table.insert(0, "moved the score", [part["value"] for part in why["events"]])
    table.insert(0, "event", range(1, len(table) + 1))
    height: Literal["content"] | int = "content" if len(table) <= MOST_ROWS else 460
    config = {
        Column.TIME: st.column_config.DatetimeColumn("time (UTC)", format=_WHEN),
        "moved the score": st.column_config.NumberColumn(format="%+.4f"),
        Column.AMOUNT: HISTORY[Column.AMOUNT],
    }
    st.dataframe(table, hide_index=True, column_config=config, height=height, placeholder="")


def draw_history(every: pd.DataFrame, theirs: pd.DataFrame) -> None:
    """Draw what was decided about the case, and the actor's other sequences."""
    st.markdown("**Verdicts on this case**")
    if every.empty:
        st.caption("None yet.")
    else:
        columns = ["created_at", "analyst", "decision", "scheme", "note", "score", "undone_at"]
        st.dataframe(every[columns], hide_index=True, column_config=HISTORY, placeholder="")
    st.markdown("**All sequences of this actor**")
    columns = [Column.SCORE, Column.EVENTS, Column.AMOUNT, Column.FIRST, Column.LAST]
    shown = theirs[columns].sort_values(Column.SCORE, ascending=False).dropna(axis=1, how="all")
    st.dataframe(shown, hide_index=True, column_config=HISTORY)


def _how(why: Explanation) -> str:
    """Say how the shares were found, and how far they can be relied on."""
    said = f"From {why['evaluations']:,} scores; the parts miss the score by {why['error']:.0e}."
    if why["stability"] < 1:
        said += f" Rank correlation of the events with a second sample: {why['stability']:.2f}."
    if why["pruned"]:
        said += f" The first {why['pruned']} events hardly matter: they share one value evenly."
    return said


def _strongest(part: dict[str, Any]) -> str:
    tokens = sorted(part["tokens"], key=lambda token: -abs(token["value"]))[:4]
    return "<br>".join(f"{plain(t['words'], 70)} {signed(t['value'])}" for t in tokens)
