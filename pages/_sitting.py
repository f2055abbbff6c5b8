"""Where an analyst is in the queue, from click to click.

Analysts are faster than pages. Until a run of the page has ended, the buttons of the cases before
it hear their keys, too: they must do nothing. And Streamlit may stop a callback for the next click
wherever it uses Streamlit: so a callback does all it has to do before, and the page tells the URL.
"""

import time
from dataclasses import dataclass, field
from typing import NoReturn

import streamlit as st

from core.errors import NotFound
from core.store import cases, datasets
from core.store.cases import Case
from pages._common import home, number_in_url
from pages._words import text

HEARD = 10.0  # seconds in which a browser hears of the next case, even a busy one
LEFT = "left"  # stage of a case whose buttons count no more


@dataclass
class Sitting:
    """Where an analyst is in the queue."""

    shown: int | None = None  # case whose buttons count
    stage: str = ""  # how much of it is shown
    since: float = 0.0  # by the monotonic clock
    left: int | None = None  # case that the URL names until the browser has heard of the next
    following: int | None = None
    until: float = 0.0  # by the monotonic clock: how long the browser may need to hear of it
    skipped: list[int] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """For how long the case has been in sight like that."""
        return time.monotonic() - self.since

    def show(self, case_id: int | None, stage: str) -> None:
        """Let the buttons of a case count."""
        if not self.shows(case_id, stage):
            self.shown, self.stage, self.since = case_id, stage, time.monotonic()

    def shows(self, case_id: int | None, stage: str) -> bool:
        """Whether the buttons of a case at a stage count."""
        return (self.shown, self.stage) == (case_id, stage)

    def go(self, following: int | None) -> None:
        """Leave the case for another, or for none."""
        self.left, self.following, self.until = self.shown, following, time.monotonic() + HEARD
        self.shown, self.stage = None, LEFT


def sitting() -> Sitting:
    """Return where this session's analyst is."""
    known: Sitting | None = st.session_state.get("sitting")
    if known is None:
        aside = st.query_params.get("skipped", "").split(",")
        known = Sitting(skipped=[int(part) for part in aside if part.isdecimal()])
        st.session_state["sitting"] = known
    return known


def case_to_show() -> Case | None:
    """Return the case the analyst has gone to, or that the URL names, or the first that waits.

    One that is gone is said to be, with a way to the next.
    """
    _follow(sitting())
    try:
        case = _case_in_url()
    except NotFound as error:
        st.error(text(str(error)), icon=":material/block:")
        st.button("Next case", shortcut="N", on_click=_forget_case)
        st.stop()
    if case is not None and number_in_url("case") is None:
        st.query_params["case"] = str(case.id)  # for links, and for keys: they count on this one
    return case


def _forget_case() -> None:
    st.query_params.pop("case", None)


def _case_in_url() -> Case | None:
    wanted = number_in_url("case")
    with home().engine.connect() as con:
        if wanted is not None:
            return cases.get(con, wanted)
        waiting = cases.open_by_dataset(con)
        for dataset_id in datasets.all_datasets(con)["id"]:
            if waiting.get(dataset_id):
                first = cases.next_open(con, dataset_id, skipping=[])
                return cases.get(con, int(first or 0))
    return None


def _follow(where: Sitting) -> None:
    """Bring the URL to where the analyst has gone."""
    if time.monotonic() < where.until and number_in_url("case") in (None, where.left):
        if where.following is None:
            st.query_params.pop("case", None)
        else:
            st.query_params["case"] = str(where.following)
    else:
        where.until = 0.0
    if where.skipped:
        st.query_params["skipped"] = ",".join(map(str, where.skipped))


def open_case(case_id: int) -> NoReturn:
    """Go to a case."""
    sitting().until = 0.0  # whatever came next: this one was asked for
    st.switch_page("pages/case.py", query_params={"case": str(case_id)})
