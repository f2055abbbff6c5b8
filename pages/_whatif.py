"""What if: the events of a case in a table to edit, and what the score would be.

The score is computed with the resident model from the first edit on: opening a case waits for
nothing. Every edit is a step that can be undone; what is worth keeping is saved as a scenario.
"""

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from core.charts.look import signed
from core.charts.timeline import timeline
from core.errors import SpoorError
from core.explain.edit_table import PLACE, as_table, from_table
from core.explain.edits import Edits, editable_columns
from core.logs.frames import actions, read_mapping
from core.schema import Column
from core.store.cases import Case
from core.store.models import Model
from pages._bench import Bench
from pages._common import CHART, events_held, home, scorer
from pages._scenarios import draw_scenarios, scenario_in_url
from pages._timeline import ABUSE, UNUSUALNESS, Explanation
from pages._words import text

if TYPE_CHECKING:
    from core.explain.counterfactual import Answer, Counterfactual
    from core.explain.whatif import Experiment, WhatIf

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


@st.cache_data(max_entries=64, show_spinner=False)
def _explained(_experiment: "Experiment", key: str, edits: str, _found: "WhatIf") -> Explanation:
    from core.explain.whatif import explain

    return explain(_experiment, _found).to_dict()


@st.cache_data(max_entries=64, show_spinner="Trying what would clear it ...")
def _searched(
    _experiment: "Experiment", key: str, threshold: float, _why: Explanation | None
) -> "Counterfactual":
    from core.explain.counterfactual import find_counterfactual

    values = None if _why is None else [part["value"] for part in _why["events"]]
    return find_counterfactual(_experiment, threshold, attribution=values)


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
    try:
        if bench.edits:
            experiment = _experiment(*path)
            found = experiment.run(bench.edits)
            with top:
                _draw_score(found.before, found.score, threshold)
            if found.warnings:
                st.warning("  \n".join(map(text, found.warnings)), icon=":material/warning:")
            _draw_change(experiment, str(path), found, bench.edits, why, model)
        else:
            with top:
                _draw_score(score, score, threshold)
        if bench.searched:
            answer = _searched(_experiment(*path), str(path), threshold, why)
            _draw_search(bench, len(events), answer)
        else:
            st.button(
                "Find what would clear it", key=f"whatif-search-{sequence_id}",
                icon=":material/manage_search:", on_click=_on_search, args=(bench,),
            )  # fmt: skip
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


def _on_search(bench: Bench) -> None:
    bench.searched = True


def _draw_score(before: float, now: float, threshold: float) -> None:
    passes, passed = now < threshold, before < threshold
    number, was, word = st.columns([1, 1, 3], vertical_alignment="top")
    moved = now - before
    colour: Any = "orange" if moved > 0 else "violet"
    delta = signed(moved) if moved else "no change"
    number.metric("Score now", f"{now:.3f}", delta, delta_color=colour if moved else "gray")
    was.metric("Before", f"{before:.3f}")
    if passes == passed:
        said = "It passes" if passes else "It is flagged"
    else:
        said = "It would pass" if passes else "It would be flagged"
    side = "below" if passes else "at or above"
    word.markdown(f"**{said}**: {side} the threshold of {threshold:.3f}.")


def _draw_change(
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


def _draw_search(bench: Bench, events: int, found: "Counterfactual") -> None:
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
