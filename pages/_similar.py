"""Similar cases: what was decided about them, and one of them beside this case."""

import pandas as pd
import streamlit as st

from core.charts.look import RISK
from core.errors import SpoorError
from core.review.deciding import DECISIONS
from core.schema import scheme_words
from core.store import queues, runs
from core.store.cases import Case
from pages._beside import draw_beside
from pages._common import home, scorer
from pages._words import text
from pages._working import Work

WAITING = "waiting"
COLUMNS = {
    "similarity": st.column_config.NumberColumn(
        "similarity", format="%.3f", width=90, help="1 is the same direction in the model's eyes."
    ),
    "outcome": st.column_config.TextColumn("what was found", width=200),
    "actor_id": st.column_config.TextColumn("actor", width=130),
    "score": st.column_config.ProgressColumn(
        "score", min_value=0, max_value=1, format="%.3f", color=RISK, width=120
    ),
    "events": st.column_config.NumberColumn("actor's events", format="localized", width=100),
    "amount": st.column_config.NumberColumn("actor's amount", format="%,.2f", width=110),
}


def draw_similar(case: Case, events: pd.DataFrame, work: Work) -> None:
    """Draw the cases most like a sequence, and the chosen one beside it."""
    sequence_id = work.sequence_id
    with home().engine.connect() as con:
        run = runs.get(con, case.run_id)
    try:
        with st.spinner("Looking for similar cases ..."):
            from core.explain.similar import similar_cases

            model = scorer(run.model_id)
            found = similar_cases(home(), model, run, sequence_id, actor_id=case.actor_id)
    except SpoorError as error:
        st.warning(f"Similar cases cannot be found: {text(str(error))}")
        return
    with home().engine.connect() as con:
        if queues.is_blind(con, case.dataset_id):  # what waits is to be seen without its score
            found = found.dropna(subset="decision").reset_index(drop=True)
    if found.empty:
        st.info("There is no other case in this data set to compare with yet.")
        return
    found["outcome"] = [_outcome(*row) for row in found[["decision", "scheme", "label"]].to_numpy()]
    st.markdown(_summary(found["outcome"].tolist()))
    other = _choose(found, f"{case.id}-{sequence_id}")
    st.caption(
        "Similar means: the model reads their sequences alike. It says nothing of whether the "
        "actors know each other."
    )
    if other is not None:
        try:
            draw_beside(case, events, work, found.iloc[other])
        except SpoorError as error:
            st.warning(f"The two cannot be compared: {text(str(error))}")


def _choose(found: pd.DataFrame, key: str) -> int | None:
    """Let the analyst click a row, or choose by name, a case to see beside this one."""
    table, chosen = f"similar-{key}", f"beside-{key}"

    def pin() -> None:
        if rows := st.session_state[table].selection.rows:
            st.session_state[chosen] = rows[0]

    st.dataframe(
        found,
        column_order=[name for name in COLUMNS if found[name].notna().any()],
        column_config=COLUMNS,
        hide_index=True,
        on_select=pin,
        selection_mode="single-row",
        key=table,
    )
    position: int | None = st.selectbox(
        "Beside this case",
        range(len(found)),
        index=None,
        format_func=lambda row: f"{found['actor_id'].iloc[row]}, {found['outcome'].iloc[row]}",
        key=chosen,
        placeholder="Click a row, or choose a case, to see the two side by side",
        label_visibility="collapsed",
    )
    return position


def _outcome(decision: object, scheme: object, label: object) -> str:
    """Say what is known of a case: the verdict, else an outside label."""
    if isinstance(decision, str):
        named = f", {scheme_words(scheme).lower()}" if isinstance(scheme, str) else ""
        return DECISIONS[decision] + named
    if isinstance(label, bool):
        return f"{WAITING} (labelled {'abuse' if label else 'legitimate'})"
    return WAITING


def _summary(outcomes: list[str]) -> str:
    """Count what was found: 3 confirmed abuse, 1 legitimate, 4 waiting."""
    kinds = pd.Series([one.split(",")[0] for one in outcomes]).value_counts()
    said = ", ".join(f"{number} {str(kind).lower()}" for kind, number in kinds.items())
    return f"Of the **{len(outcomes)} most similar cases**: {said}."
