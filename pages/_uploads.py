"""What a browser sent: kept on disk until it is imported."""

import shutil
import time
import uuid
from pathlib import Path

from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.store import jobs
from core.store.home import remove, writing
from pages._common import home

STAY = 24 * 3600  # seconds without an import


def keep_upload(uploaded: UploadedFile) -> Path:
    """Write what the browser sent to disk at once; a worker deletes it after the import."""
    _drop_forgotten_uploads()
    # A folder of its own: the next upload of this name must not replace what a job waits for.
    target = home().uploads / uuid.uuid4().hex / Path(uploaded.name).name
    with writing(target) as file, file.open("wb") as out:
        shutil.copyfileobj(uploaded, out)
    return target


def _drop_forgotten_uploads() -> None:
    """Delete uploads that nobody imported, but those that a job still waits for."""
    with home().engine.connect() as con:
        waiting = {str(given.get("path")) for given in jobs.unfinished(con)["arguments"]}
    kept = {Path(path).parent for path in waiting}
    for folder in home().uploads.iterdir():
        if folder not in kept and time.time() - folder.stat().st_mtime > STAY:
            remove(folder)


def say_gone(path: str) -> str:
    """Say that there is nothing at a path, and why where it was an upload."""
    if home().uploads in Path(path).parents:
        return (
            f"The uploaded file '{Path(path).name}' is gone: an upload is deleted once it is "
            "imported, or after a day. Drop it here again, or name a path on the server."
        )
    return f"There is nothing at '{path}'. Accepted: a file, a folder or a pattern."
