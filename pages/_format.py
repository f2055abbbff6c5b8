"""How the file of a new log is written: said in words, and corrected where it was misread."""

from typing import Any

import streamlit as st

from core.logs.mapping import Format
from pages._words import text

KINDS = {
    "fixed": "text in columns of a fixed width",
    "jsonl": "a JSON object per line",
    "json": "JSON",
    "access_log": "an access log of a web server",
    "excel": "an Excel workbook",
    "parquet": "Parquet",
}
DELIMITERS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars", " ": "spaces"}


def describe_format(format: Format) -> str:
    """Say how a file is written, in Markdown."""
    delimiter = format.delimiter or ","
    by = DELIMITERS.get(delimiter) or f"'{text(delimiter)}'"
    words = [KINDS.get(format.kind, f"text with columns separated by {by}")]
    if format.sheet is not None:
        words.append(f"sheet '{text(format.sheet)}'")
    if format.kind not in ("excel", "parquet"):
        words.append(format.encoding)
    if format.skip:
        rows = "row is" if format.skip == 1 else f"{format.skip:,} rows are"
        words.append(f"the first {rows} left out")
    if format.each is not None:
        words.append(f"an event per element of '{text(format.each)}'")
    if not format.header:
        words.append("no row names the columns")
    return ", ".join(words)


def edit_format(path: str, found: Format) -> dict[str, Any]:
    """Let the analyst say where the table begins; empty where that is as found."""
    if found.kind not in ("csv", "fixed", "excel"):
        return {}
    with st.popover("Where the table begins", icon=":material/vertical_align_top:"):
        skip = st.number_input(
            "Rows to leave out above the header, or above the first event",
            0,
            1000,
            value=found.skip,
            key=f"skip-{path}",
            help="Titles and comments. Blank rows are left out in any case and do not count.",
        )
    return {} if skip == found.skip else {"format": {"skip": skip}}
