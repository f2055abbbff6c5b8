"""What a case shows beside its timeline: reasons, how the score adds up, events, history."""

from typing import Any, Literal

import pandas as pd
import streamlit as st

from core.charts import attribution
from core.charts.heat_map import heat_map
from core.charts.look import signed
from core.charts.waterfall import waterfall
from core.explain.naming import fact_words, in_words
from core.logs.frames import actions, read_mapping
from core.logs.mapping import extra_columns
from core.logs.trust import low_trust
from core.schema import Column
from core.wording import counted, duration
from pages._common import CHART, home
from pages._timeline import Explanation, event_names
from pages._words import text

MOST_ROWS = 12  # before the table scrolls
PLACE, AFTER, MOVED = "@event", "@after", "@moved"  # no log's column is named so
_WHEN = "D MMM YYYY HH:mm:ss"
HISTORY = {
    "created_at": st.column_config.DatetimeColumn("decided (UTC)", format=_WHEN),
    "undone_at": st.column_config.DatetimeColumn("taken back (UTC)", format=_WHEN),
    Column.FIRST: st.column_config.DatetimeColumn("first event (UTC)", format=_WHEN),
    Column.LAST: st.column_config.DatetimeColumn("last event (UTC)", format=_WHEN),
    Column.SCORE: st.column_config.NumberColumn(format="%.3f"),
    Column.AMOUNT: st.column_config.NumberColumn(format="%,.2f"),
}


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


def draw_why(dataset_id: str, events: pd.DataFrame, why: Explanation) -> None:
    """Draw how base value, whole sequence and events add up to the score."""
    by_event = sum(part["value"] for part in why["events"])
    whole = why["profile"]["value"]
    st.markdown(
        f"Base value **{why['base_value']:.4f}** (everything hidden), whole sequence "
        f"**{whole:+.4f}**, {counted(len(why['events']), 'event')} **{by_event:+.4f}**: together "
        f"**{why['base_value'] + whole + by_event:.4f}**. The score is **{why['score']:.4f}**."
    )
    names = event_names(events)
    figure = waterfall(why["base_value"], whole, [part["value"] for part in why["events"]], names)
    st.plotly_chart(figure, key="waterfall", config=CHART)
    st.markdown("**What counted, over all events**")
    parts = [why["profile"], *why["events"]]
    tokens = pd.DataFrame([token for part in parts for token in part["tokens"]])
    joined = tokens.groupby("token", sort=False).agg(
        value=("value", "sum"), words=("words", "first"), times=("value", "size")
    )
    several = joined["times"].map(lambda times: f" ({times} times)" if times > 1 else "")
    figure = attribution.by_token((joined["words"] + several).tolist(), joined["value"].tolist())
    st.plotly_chart(figure, key="by-token", config=CHART)
    _draw_heat_map(dataset_id, why, names)
    st.caption(f"This says what moved the score, not what made the actor act. {_how(why)}")


def _draw_heat_map(dataset_id: str, why: Explanation, names: list[str]) -> None:
    words = fact_words(read_mapping(home(), dataset_id), actions(home(), dataset_id))
    tokens = pd.DataFrame(
        [
            {"event": number, "fact": in_words(token["token"], words), **token}
            for number, part in enumerate(why["events"], start=1)
            for token in part["tokens"]
        ]
    )
    if tokens.empty:
        return
    st.markdown("**Which fact of which event**")
    figure = heat_map(tokens, events=len(names), names=names)
    st.plotly_chart(figure, key="heat-map", config=CHART)


def draw_events(dataset_id: str, events: pd.DataFrame, why: Explanation | None) -> None:
    """Draw the events as a table, with what each did to the score."""
    extras = [name for name in extra_columns(read_mapping(home(), dataset_id)) if name in events]
    kept = [Column.TIME, Column.ACTION, Column.ITEM, Column.AMOUNT, *extras]
    table = events[kept].dropna(axis=1, how="all").reset_index(drop=True)
    if Column.TIME in table:
        gaps = events[Column.TIME].diff().dt.total_seconds()
        table.insert(1, AFTER, gaps.map(duration, na_action="ignore").to_numpy())
    if why is not None:
        table.insert(0, MOVED, [part["value"] for part in why["events"]])
    table.insert(0, PLACE, range(1, len(table) + 1))
    height: Literal["content"] | int = "content" if len(table) <= MOST_ROWS else 460
    config = {
        Column.TIME: st.column_config.DatetimeColumn("time (UTC)", format=_WHEN),
        PLACE: st.column_config.NumberColumn("event"),
        AFTER: st.column_config.TextColumn("after"),
        MOVED: st.column_config.NumberColumn("moved the score", format="%+.4f"),
        Column.AMOUNT: HISTORY[Column.AMOUNT],
    }
    shown = {name: column for name, column in config.items() if name in table}
    st.dataframe(table, hide_index=True, column_config=shown, height=height, placeholder="")


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
