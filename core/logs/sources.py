"""What lies on the disk: files, folders, globs, and what kind of file each is by its bytes."""

import glob
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from core.errors import BadInput

ACCEPTED = (
    "Accepted: CSV, TSV, text in columns, JSON lines, a JSON array, Excel (.xlsx), web-server "
    "access logs or Parquet, each also as gzip, zstd, bzip2 or zip"
)
Container = Literal["text", "parquet", "excel", "gzip", "zstd", "bzip2", "zip"]
PACKINGS: Final = ("gzip", "zstd", "bzip2", "zip")

_BEGINNINGS: dict[bytes, Container] = {
    b"PAR1": "parquet",
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",  # with nothing in it
}
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def find_files(path: Path) -> list[Path]:
    """Return the files meant by a file, a folder or a glob, in the order of their names.

    Empty files are left out where others are not: rotated logs and finished jobs leave them.

    Raises
    ------
    BadInput
        If there is none, or one that leads nowhere.
    """
    if path.is_dir():
        found = [p for p in path.iterdir() if not p.is_dir() and not p.name.startswith(".")]
    elif path.exists():
        found = [path]
    else:
        found = [p for name in glob.glob(str(path)) if not (p := Path(name)).is_dir()]
    if not found:
        raise BadInput(f"There is no file at '{path}'. {ACCEPTED}; a folder or a glob of them.")
    if odd := [p.name for p in found if not p.is_file()]:
        raise BadInput(f"'{odd[0]}' is no file but a device or a link that leads nowhere.")
    return sorted(p for p in found if p.stat().st_size) or found[:1]


def last_change(path: Path) -> tuple[float, int]:
    """Return what differs once a log has changed: when a file was last, and how many there are.

    Raises
    ------
    BadInput
        If there is no file, or it cannot be reached.
    """
    with reading(path):
        files = find_files(path)
        return max(file.stat().st_mtime for file in files), len(files)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into `BadInput`."""
    try:
        yield
    except OSError as error:
        raise BadInput(f"'{error.filename or path}' cannot be read: {error.strerror}.") from error


def container_of(path: Path) -> Container:
    """Tell what kind of file this is by its bytes, never by its name.

    Raises
    ------
    BadInput
        If it is an office document that is not a workbook.
    """
    with path.open("rb") as stream:
        head = stream.read(16)
    if head.startswith(b"BZh") and head[4:10] == b"1AY&SY":
        return "bzip2"
    if head.startswith(_OLD_OFFICE):
        raise BadInput(
            f"'{path.name}' is an old or password-protected office document. "
            f"Save it as .xlsx without a password, or as CSV. {ACCEPTED}."
        )
    for beginning, container in _BEGINNINGS.items():
        if head.startswith(beginning):
            return _kind_of_zip(path) if container == "zip" else container
    return "text"


def _kind_of_zip(path: Path) -> Container:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError):
        return "zip"  # unpacking it says what is wrong
    if "xl/workbook.xml" in names:
        return "excel"
    if "[Content_Types].xml" in names or {"mimetype", "content.xml"} <= names:
        raise BadInput(
            f"'{path.name}' is an office document, but no .xlsx workbook. "
            f"Save its table as .xlsx or CSV. {ACCEPTED}."
        )
    return "zip"
