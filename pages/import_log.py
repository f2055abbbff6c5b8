"""Import: is this log good, and in."""

import json
from pathlib import Path
from typing import Any

import streamlit as st

from core.errors import BadInput
from core.logs.importing import name_of
from core.logs.mapping import Format, parse_mapping
from core.logs.proposal import Inspection, inspect_log
from core.store import models
from pages._common import begin, enqueue, home, refusals
from pages._format import describe_format, edit_format
from pages._imputing import offer_imputing, offer_masking
from pages._jobs import job_in_url, show_running
from pages._mapping import edit_kinds, edit_roles, edit_times
from pages._outcome import draw_import_outcome, tried_before
from pages._quality import draw_first_rejected, draw_quality
from pages._sequences import draw_lengths, edit_rule
from pages._target import choose_target
from pages._templates import choose_template, keep_template
from pages._uploads import choose_file, last_change
from pages._words import text

PREVIEW: dict[str, Any] = {
    "actor_id": "who",
    "session_id": st.column_config.TextColumn("session", width=150),
    "event_id": "event",
    "ts": st.column_config.DatetimeColumn("time (UTC)", format="D MMM YYYY HH:mm:ss"),
    "amount": st.column_config.NumberColumn(format="%,.2f"),
}


@st.cache_data(max_entries=20, show_spinner="Looking at the log ...")
def look(path: str, changed: tuple[float, int], decided: str) -> Inspection:
    """Inspect a log; under the same mapping it is inspected once until it changes."""
    return inspect_log(path, mapping=parse_mapping(decided))


begin("Import a log")
path = st.query_params.get("file", "")
running = show_running(("import",))
finished = job_in_url(("import",))
if finished is not None and not running:
    with home().engine.connect() as con:
        draw_import_outcome(finished, models.active(con))
if not path:
    choose_file()
    st.stop()

with refusals():
    changed = last_change(path)
tried = tried_before(finished, path)
head, begins, other = st.columns([5, 2, 1.3], vertical_alignment="center")
try:
    found = look(path, changed, json.dumps(tried)).format
except BadInput:  # maybe of what stands above the table
    found = Format()
with begins:
    table = edit_format(path, found)
place = f"{path}#{table}" if table else path  # keys the widgets, whose defaults are the proposal's
if other.button("Another file", icon=":material/undo:", width="stretch"):
    st.query_params.pop("file")
    st.query_params.pop("job", None)
    st.rerun()

with refusals():
    first = look(path, changed, json.dumps(tried | table))
    head.markdown(f"**{text(Path(path).name)}** · {describe_format(first.format)}")
    names = first.columns["name"].tolist()
    if (template := choose_template(path, names, corrected=bool(tried))) is not None:
        place = f"{place}#{template.name}"
        # The file's own format: a template may meet its columns in another kind of file.
        known = template.mapping.model_dump(mode="json", exclude={"format"}, exclude_unset=True)
        first = look(path, changed, json.dumps(known | table))

st.subheader("Which column is what")
roles = edit_roles(place, first)
times = edit_times(place, first, roles["time"])
rule = edit_rule(place, first.mapping)
pictured = st.container()
with st.expander("What the other columns are", expanded=len(first.columns) <= 12):
    kinds = edit_kinds(place, first.columns, roles)
impute = offer_imputing(place, first, kinds, roles)
mask = offer_masking(place, first, kinds)
drop = st.toggle(
    "Drop rows that repeat an earlier row (repetition is behaviour: usually keep)",
    first.mapping.duplicates == "drop",
)
others = st.toggle(
    "Compare with what others do with the same item or device (off: faster on very large logs)",
    first.mapping.facts == "all",
)
with refusals():
    decided = json.dumps(
        {
            "roles": roles,
            "columns": kinds,
            "format": first.format.model_dump(),
            "time": times,
            "sequence": rule,
            "impute": impute,
            "mask": mask,
            "duplicates": "drop" if drop else "keep",
            "facts": "all" if others else "actor",
        }
    )
    checked = look(path, changed, decided)
with pictured:
    draw_lengths(checked)

st.subheader("What comes out")
draw_quality(checked.quality, "look")
draw_first_rejected(checked.quality)
if not checked.preview.empty:
    hidden = ["row", "position", "sequence_id"]
    shown = checked.preview.drop(columns=hidden).dropna(axis=1, how="all")
    st.caption("The first ten events, as they will be stored.")
    st.dataframe(shown, hide_index=True, height="content", column_config=PREVIEW, placeholder="")
keep_template(checked.mapping)
with st.container(horizontal=True, vertical_alignment="bottom"):
    into = choose_target(path, names)
    asked: dict[str, Any] = {"into": into}
    if into is None:
        name = st.text_input("Name of the data set", name_of(Path(path)), width=320)
        asked = {"name": name or None, "mapping": checked.mapping.model_dump(mode="json")}
    blocked = running or (into is None and "problem" in checked.quality)
    if st.button("Import", type="primary", icon=":material/download:", disabled=blocked):
        enqueue("import", {"path": path, **asked})
        st.query_params.pop("file", None)
        st.rerun()
