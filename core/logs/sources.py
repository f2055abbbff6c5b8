"""From what lies on the disk to plain files: folders, globs, gzip, zstd, zip."""

import glob
import gzip
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa

from core.errors import BadInput

ACCEPTED = (
    "Accepted: CSV, TSV, space-separated text, JSON lines or Parquet, "
    "each also as gzip, zstd or zip"
)
_CHUNK = 1 << 22


def find_files(path: Path) -> list[Path]:
    """Return the files meant by a file, a folder or a glob, in the order of their names.

    Raises
    ------
    BadInput
        If there is none.
    """
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
    elif path.is_file():
        found = [path]
    else:
        found = sorted(Path(name) for name in glob.glob(str(path)) if Path(name).is_file())
    if not found:
        raise BadInput(f"There is no file at '{path}'. {ACCEPTED}; a folder or a glob of them.")
    return found


def unpack(path: Path, scratch: Path, limit: int | None = None) -> list[Path]:
    """Return plain files with the content of `path`; at most about `limit` bytes of each.

    A file that is not packed is returned as it is.

    Raises
    ------
    BadInput
        If the file is empty, broken off, or of a kind that cannot be read.
    """
    if path.stat().st_size == 0:
        raise BadInput(f"'{path.name}' is empty. {ACCEPTED}, with at least one event.")
    magic = _first_bytes(path)
    if magic[:2] == b"PK":
        return _unzip(path, scratch, limit)
    if magic[:2] == b"\x1f\x8b" or magic == b"\x28\xb5\x2f\xfd":
        with _reading(path), _decompressed(path, magic) as stream:
            return [_copy(stream, scratch / f"{len(list(scratch.iterdir()))}.plain", limit)]
    return [path]


def is_parquet(path: Path) -> bool:
    """Tell by the first bytes whether a plain file is Parquet."""
    return _first_bytes(path) == b"PAR1"


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(4)


@contextmanager
def _decompressed(path: Path, magic: bytes) -> Iterator[IO[bytes]]:
    if magic[:2] == b"\x1f\x8b":
        with gzip.open(path) as stream:
            yield cast(IO[bytes], stream)
    else:
        with pa.input_stream(str(path), compression="zstd") as arrow:
            yield arrow


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (EOFError, zlib.error, zipfile.BadZipFile, OSError, RuntimeError) as error:
        raise BadInput(
            f"'{path.name}' is packed but cannot be unpacked ({error}); it may be cut off. "
            "Copy or download it again."
        ) from error


def _unzip(path: Path, scratch: Path, limit: int | None) -> list[Path]:
    plain = []
    with _reading(path), zipfile.ZipFile(path) as archive:
        if "[Content_Types].xml" in archive.namelist():
            raise BadInput(f"'{path.name}' is an office document. Save it as CSV. {ACCEPTED}.")
        for number, member in enumerate(_members(archive)):
            with archive.open(member) as stream:
                plain.append(_copy(stream, scratch / f"{path.stem}.{number}.plain", limit))
    if not plain:
        raise BadInput(f"'{path.name}' holds no file. {ACCEPTED}.")
    return plain


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    hidden = ("__MACOSX/", ".")
    return [
        member
        for member in sorted(archive.infolist(), key=lambda member: member.filename)
        if not member.is_dir() and not member.filename.startswith(hidden) and member.file_size
    ]


def _copy(stream: IO[bytes], target: Path, limit: int | None) -> Path:
    head: Any = stream.read(4)
    with target.open("wb") as plain:
        plain.write(head)
        if limit is None or head == b"PAR1":  # Parquet keeps its table of contents at the end
            shutil.copyfileobj(stream, plain, _CHUNK)
        else:
            plain.write(stream.read(limit))
    if target.stat().st_size == 0:
        raise BadInput(f"The file packed as '{target.name}' is empty. {ACCEPTED}.")
    return target
