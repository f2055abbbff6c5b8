"""What Import offers to change: missing numbers filled in, contacts in free text masked."""

import streamlit as st

from core.logs.proposal import Inspection
from core.wording import percent
from pages._words import text

WAYS = {"leave": "leave missing", "median": "the median", "item_median": "the item's median"}


def offer_imputing(
    path: str,
    inspected: Inspection,
    kinds: dict[str, str],
    roles: dict[str, str | None],
) -> dict[str, str]:
    """Let the analyst fill the missing numbers of a column; by default they stay missing."""
    numeric = [column for column, kind in kinds.items() if kind == "numeric"]
    shares = inspected.columns.set_index("name")["missing"]
    lacking = [column for column in [roles["amount"], *numeric] if column and shares[column] > 0]
    if not lacking:
        return {}
    ways = [way for way in WAYS if way != "item_median" or roles["item"]]
    chosen = {}
    with st.expander(f"Fill missing numbers: {text(', '.join(lacking))}"):
        st.caption(
            "Left as they are, the model sees that a number is missing, which often says more "
            "than a guess. What is filled in is counted in the quality report."
        )
        for column in lacking:
            chosen[column] = st.segmented_control(
                f"{text(column)}, missing in {percent(shares[column], 1)}",
                ways,
                default=inspected.mapping.impute.get(column, "leave"),
                format_func=WAYS.__getitem__,
                required=True,
                key=f"impute-{column}-{len(ways)}-{path}",
            )
    return {column: way for column, way in chosen.items() if way != "leave"}


def offer_masking(path: str, inspected: Inspection, kinds: dict[str, str]) -> list[str]:
    """Let the analyst choose the texts in which contacts and numbers are masked."""
    texts = [column for column, kind in kinds.items() if kind == "text"]
    if not texts:
        return []
    return st.multiselect(
        "Mask mails, phone, card and id numbers in",
        texts,
        default=[column for column in inspected.mapping.mask if column in texts],
        format_func=text,
        placeholder="no column",
        key=f"mask-{path}-{','.join(texts)}",
        help="They are replaced before anything is stored, and counted in the quality report. "
        "Columns of the kind personal are always replaced by pseudonyms.",
    )
