"""What if: the events of a case in a table to edit, and what the score would be.

The score is computed with the resident model from the first edit on: opening a case waits for
nothing. Every edit is a step that can be undone; what is worth keeping is saved as a scenario.
"""

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from core.errors import SpoorError
from core.explain.edit_table import PLACE, as_table, from_table
from core.explain.edits import Edits, editable_columns
from core.logs.frames import actions, read_mapping
from core.schema import Column
from core.store.cases import Case
from core.store.models import Model
from pages._bench import Bench
from pages._change import draw_change, draw_score
from pages._clearing import draw_clearing, searched
from pages._common import events_held, home, scorer
from pages._scenarios import draw_scenarios, scenario_in_url
from pages._timeline import Explanation
from pages._words import text

if TYPE_CHECKING:
    from core.explain.counterfactual import Counterfactual
    from core.explain.whatif import Experiment

MOST_ROWS = 12  # before the table scrolls


@st.cache_resource(max_entries=8, show_spinner=False)
def _experiment(
    _path: str, model_id: str, run_id: str, sequence_id: str, held: int
) -> "Experiment":
    """Return a sequence ready for edits; `held`: how many events its data set has."""
    from core.explain.whatif import Experiment
    from core.store import runs

    with home().engine.connect() as con:
        dataset_id = runs.get(con, run_id).dataset_id
    return Experiment.read(home(), scorer(model_id), dataset_id, sequence_id)


@st.fragment
def draw_whatif(
    case: Case,
    model: Model,
    events: pd.DataFrame,
    score: float,
    threshold: float,
    why: Explanation | None,
) -> None:
    """Draw the events in a table to edit, and what they would score."""
    sequence_id = str(events[Column.SEQUENCE].iloc[0])
    held = events_held(case.dataset_id)
    key = f"{case.run_id}-{held}-{sequence_id}"
    bench: Bench = st.session_state.setdefault(f"whatif-{key}", Bench())
    scenario = scenario_in_url(case, [sequence_id])
    if scenario is not None and bench.scenario != str(scenario.id):
        bench.scenario = str(scenario.id)
        bench.open(Edits.model_validate(scenario.edits))
    st.caption(
        "Change, delete or add events. Type 2.5 under *event* to put one between 2 and 3; without "
        "a time it gets one between its neighbours'."
    )
    top = st.container()  # drawn last, but above the table, which must not move under the hand
    edited = _draw_table(case.dataset_id, bench, events, key)
    if edited != bench.edits:
        bench.take(edited)
    _draw_steps(bench, key)
    path = (str(home().path), model.id, case.run_id, sequence_id, held)

    def search() -> "Counterfactual":
        return searched(_experiment(*path), str(path), threshold, why)

    try:
        if bench.edits:
            experiment = _experiment(*path)
            found = experiment.run(bench.edits)
            with top:
                draw_score(found.before, found.score, threshold)
            if found.warnings:
                st.warning("  \n".join(map(text, found.warnings)), icon=":material/warning:")
            draw_change(experiment, str(path), found, bench.edits, why, model)
        else:
            with top:
                draw_score(score, score, threshold)
        draw_clearing(bench, sequence_id, len(events), search)
    except SpoorError as error:
        with top:
            st.warning(text(str(error)), icon=":material/block:")
    draw_scenarios(case, sequence_id, bench, key)


def _draw_table(dataset_id: str, bench: Bench, events: pd.DataFrame, key: str) -> Edits:
    """Draw the events to edit; return what was done to them."""
    if bench.shown != bench.edits and _table_key(bench, key) not in st.session_state:
        bench.show()  # Streamlit forgot what was typed while another tab was open
    columns = editable_columns(read_mapping(home(), dataset_id))
    names = [*actions(home(), dataset_id), *events[Column.ACTION].dropna()]
    table = as_table(bench.shown, events, columns)
    known = list(dict.fromkeys([*names, *table.get(Column.ACTION, pd.Series()).dropna()]))
    config: dict[str, Any] = {
        PLACE: st.column_config.NumberColumn("event", step=0.1, format="%g", width=64),
        Column.TIME: st.column_config.DatetimeColumn(
            "time (UTC)", format="D MMM YYYY HH:mm:ss", step=1, timezone="UTC"
        ),
        Column.ACTION: st.column_config.SelectboxColumn(
            "action", options=known, required=True, default=known[0]
        ),
        Column.AMOUNT: st.column_config.NumberColumn("amount", format="%,.2f"),
    }
    edited = st.data_editor(
        table,
        key=_table_key(bench, key),
        num_rows="dynamic",
        hide_index=True,
        column_order=[PLACE, *columns],
        column_config={name: config[name] for name in config if name in table},
        height="content" if len(table) <= MOST_ROWS else 460,
        placeholder="",
        alt="Events to edit",
    )
    now = from_table(edited, events)
    return bench.shown if now == from_table(table, events) else now


def _table_key(bench: Bench, key: str) -> str:
    return f"whatif-table-{key}-{bench.version}"


def _draw_steps(bench: Bench, key: str) -> None:
    with st.container(horizontal=True):
        last = len(bench.steps) - 1
        for label, step, shortcut, off in (
            ("Undo", bench.step - 1, "Ctrl+Z", bench.step == 0),
            ("Redo", bench.step + 1, "Ctrl+Y", bench.step == last),
        ):
            st.button(
                label, key=f"whatif-{label.lower()}-{key}", shortcut=shortcut,
                on_click=bench.go, args=(step,), disabled=off,
            )  # fmt: skip
        st.button(
            "Reset", key=f"whatif-reset-{key}", on_click=bench.open, args=(Edits(),),
            disabled=not bench.edits,
        )  # fmt: skip
