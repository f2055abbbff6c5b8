"""What a training would learn from, counted as the training counts it."""

import streamlit as st

from core.errors import BadInput
from core.govern.wording import repeats, schemes
from core.model.duplicates import Hashes
from core.model.units import count_schemes, told_apart
from core.model.units import repeats as count_repeats
from core.review.deciding import class_counts
from core.store.datasets import Dataset
from pages._common import home
from pages._words import text


@st.cache_data(max_entries=8, show_spinner="Looking for sequences that repeat others ...")
def content_of(dataset: Dataset) -> Hashes:
    """Return what tells sequences that repeat others: read from all events, once per import."""
    from core.govern.log import read_content

    return read_content(home(), dataset.id)


def draw_known(dataset: Dataset) -> tuple[bool, str | None]:
    """Draw what a training would learn from; return whether there is any, and what forbids it."""
    from core.govern.log import read_units  # a second: too slow to import with the page

    units = read_units(home(), dataset.id, lambda: content_of(dataset))
    told = [] if units is None else units.label.tolist()
    abuse, normal, unused, sequences = st.columns(4)
    about = "Whom verdicts and labels from elsewhere are about; each counts once."
    abuse.metric("Abuse", told.count(1), border=True, help=about)
    normal.metric("Legitimate", told.count(0), border=True, help=about)
    unclear = class_counts(home(), dataset.id)["unclear"]
    unused.metric("Unclear", unclear, border=True, help="Never trains")
    sequences.metric("Sequences", f"{dataset.sequences:,}", border=True)
    if units is None:
        return False, None
    named = {"told_apart": told_apart(units), "train": count_schemes(units)}
    said = schemes({"scheme_labels": named} if named["train"] else {})
    for sentence in (*repeats(count_repeats(units, content_of(dataset), "test")), *said):
        st.caption(text(sentence))
    try:
        units.check_trainable()
    except BadInput as error:
        return True, str(error)
    return True, None
