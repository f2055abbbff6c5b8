"""Which log to import: one that a browser sends, kept on disk until it is used, or a path."""

import shutil
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.errors import BadInput
from core.logs import sources
from core.store.home import writing
from pages._common import home


def choose_file() -> None:
    """Offer a drop zone and a path, then start again with the file in the URL."""
    uploaded = st.file_uploader("Drop a log here", key="upload")
    st.caption(
        "One row per event: CSV, TSV, text in columns, JSON, Excel, web-server access logs or "
        "Parquet; gzip, zstd, bzip2 and zip are fine. Up to 500 MB here; for more, put the file "
        "on the server and name its path."
    )
    given = st.text_input(
        "Or a path on the server: a file, a folder or a pattern",
        placeholder="/data/logs/october.csv.gz",
    )
    path = keep_upload(uploaded) if uploaded is not None else Path(given.strip()) if given else None
    if path is not None:
        st.query_params["file"] = str(path)
        st.query_params.pop("job", None)
        st.rerun()


def keep_upload(uploaded: UploadedFile) -> Path:
    """Write what the browser sent to disk, once however often the page runs.

    Whoever has used it deletes it; a worker sweeps what nobody used.
    """
    # A folder of its own: the next upload of this name must not replace what a job waits for.
    target = home().uploads / uploaded.file_id / Path(uploaded.name).name
    if not target.exists():
        with writing(target) as file, file.open("wb") as out:
            shutil.copyfileobj(uploaded, out)
    return target


def last_change(path: str) -> tuple[float, int]:
    """Return what differs once a log has changed; where an upload is gone, say why."""
    try:
        return sources.last_change(Path(path))
    except BadInput as error:
        if home().uploads not in Path(path).parents:
            raise
        raise BadInput(
            f"The uploaded file '{Path(path).name}' is gone: an upload is deleted once it is "
            "imported, or after a day. Drop it here again, or name a path on the server."
        ) from error
