"""Templates on Import: the one that fits is used, and a good mapping is kept for the next file."""

from pathlib import Path

import streamlit as st

from core.errors import BadInput
from core.logs.mapping import Mapping, parse_mapping
from core.logs.templates import FOLDER, Template, fitting, read_templates, save_template
from pages._common import home, refusals
from pages._words import text


def choose_template(path: str, columns: list[str], *, corrected: bool) -> Template | None:
    """Propose the template that fits best, or what was sent; None for the plain proposal.

    What was `corrected` for an import that failed comes before any template.
    """
    sent = _sent_mapping()
    templates, notes = read_templates(_folder())
    for note in notes:
        st.caption(text(note))
    known = {one.name: one for one in [*sent, *fitting(templates, columns)]}
    if not known:
        return None
    plain = "as in the last attempt" if corrected else "as proposed from the columns"
    chosen = st.selectbox(
        "Mapping",
        [*known, None],
        index=len(known) if corrected else 0,
        format_func=lambda name: name or plain,
        key=f"template-{path}-{next(iter(known))}",
        width=420,
    )
    if chosen is None:
        return None
    template = known[chosen]
    st.info(
        f"This log has all {len(template.columns)} columns of the template "
        f"'{text(template.name)}', so its mapping is used. To do without it, "
        f"choose “{plain}”.",
        icon=":material/bookmark:",
    )
    return template


def _sent_mapping() -> list[Template]:
    """Let the analyst use a mapping that somebody downloaded."""
    with st.popover("Use a mapping file", icon=":material/upload:"):
        uploaded = st.file_uploader("A mapping or template (JSON)", type="json", key="mapping")
    if uploaded is None:
        return []
    with refusals():
        try:
            content = uploaded.getvalue().decode()
        except UnicodeDecodeError as error:
            raise BadInput(
                f"'{uploaded.name}' is not text. Accepted: a mapping as JSON."
            ) from error
        return [Template(Path(uploaded.name).stem, parse_mapping(content))]


def keep_template(mapping: Mapping) -> None:
    """Let the analyst keep the mapping under a name, here or as a file."""
    with st.expander("Keep this mapping for the next file"):
        st.caption(
            "A file with the same columns gets it proposed. The command line takes the file."
        )
        name = st.text_input("Name of the template", width=320, max_chars=60)
        taken = name.strip() in {one.name for one in read_templates(_folder())[0]}
        replace = taken and st.checkbox(f"Replace the template '{text(name.strip())}'")
        with st.container(horizontal=True):
            if st.button("Keep", icon=":material/bookmark_add:", disabled=not name.strip()):
                with refusals():
                    kept = save_template(_folder(), name, mapping, replace=replace)
                st.toast(f"The template '{text(kept.name)}' is kept.")
            st.download_button(
                "Download",
                mapping.model_dump_json(indent=2),
                f"{name.strip() or 'mapping'}.json",
                mime="application/json",
                icon=":material/download:",
            )


def _folder() -> Path:
    return home().path / FOLDER
