"""Scenarios of a case: edits kept under a name, opened again by whoever has the link."""

import streamlit as st

from core.errors import SpoorError
from core.explain.edits import Edits
from core.store import scenarios
from core.store.cases import Case
from core.store.scenarios import Scenario
from pages._bench import Bench
from pages._common import analyst, home, number_in_url
from pages._words import ago, text


def scenario_in_url(case: Case, sequences: list[str]) -> Scenario | None:
    """Return the scenario a link names, if it is one of the case."""
    wanted = number_in_url("scenario")
    if wanted is None:
        return None
    try:
        with home().engine.connect() as con:
            found = scenarios.get(con, wanted)
    except SpoorError as error:
        st.toast(text(str(error)), icon=":material/block:")
        return None
    fits = found.dataset_id == case.dataset_id and found.sequence_id in sequences
    return found if fits else None


def draw_scenarios(case: Case, sequence_id: str, bench: Bench, key: str) -> None:
    """Offer to keep the edits under a name, and what was kept."""
    with home().engine.connect() as con:
        kept = scenarios.of_sequence(con, case.dataset_id, sequence_id)
    if not kept and not bench.edits:
        return
    st.markdown("**Scenarios**")
    for one in kept:
        with st.container(horizontal=True, vertical_alignment="center"):
            opened = Edits.model_validate(one.edits) == bench.edits
            st.button(
                text(one.name), key=f"scenario-{one.id}", on_click=_on_open, args=(bench, one),
                disabled=opened, icon=":material/folder_open:",
            )  # fmt: skip
            st.caption(f"{text(one.analyst)}, {ago(one.created_at)}", width="stretch")
            st.button(
                "Delete", key=f"scenario-delete-{one.id}", on_click=_on_delete, args=(one.id,),
                type="tertiary",
            )  # fmt: skip
    if bench.edits and not any(Edits.model_validate(one.edits) == bench.edits for one in kept):
        form = st.form(f"whatif-save-{key}", border=False)
        with form, st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input(
                "Name", key=f"whatif-name-{key}", max_chars=scenarios.LONGEST_NAME,
                placeholder="slower, without the three orders ...",
            )  # fmt: skip
            st.form_submit_button(
                "Save scenario", icon=":material/save:", on_click=_on_save,
                args=(case, sequence_id, bench, key),
            )  # fmt: skip
    elif wanted := st.query_params.get("scenario"):
        # Not the whole address: it names the analyst, and a colleague would sign with that name.
        link = f"{st.context.url or 'case'}?case={case.id}&scenario={wanted}"
        st.caption("For a colleague:")
        st.code(link, language=None)


def _on_save(case: Case, sequence_id: str, bench: Bench, key: str) -> None:
    name = st.session_state.get(f"whatif-name-{key}") or ""
    edits = bench.edits.model_dump(mode="json")
    try:
        with home().engine.begin() as con:
            scenario_id = scenarios.add(
                con, case.dataset_id, sequence_id, name=name, analyst=analyst(), edits=edits
            )
    except SpoorError as error:
        st.toast(text(str(error)), icon=":material/block:")
        return
    bench.scenario = str(scenario_id)
    st.query_params.update(case=str(case.id), scenario=str(scenario_id))


def _on_open(bench: Bench, scenario: Scenario) -> None:
    bench.scenario = str(scenario.id)
    st.query_params["scenario"] = str(scenario.id)
    bench.open(Edits.model_validate(scenario.edits))


def _on_delete(scenario_id: int) -> None:
    st.query_params.pop("scenario", None)
    try:
        with home().engine.begin() as con:
            scenarios.remove(con, scenario_id, analyst())
    except SpoorError as error:
        st.toast(text(str(error)), icon=":material/block:")
