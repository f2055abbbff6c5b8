"""What a browser sent: kept on disk until it is used."""

import shutil
from pathlib import Path

from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.errors import BadInput
from core.logs import sources
from core.store.home import writing
from pages._common import home


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
