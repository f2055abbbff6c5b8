"""Packed files become plain ones in the scratch folder, within bounds."""

import bz2
import gzip
import lzma
import re
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, cast

import pyarrow as pa

from core.errors import BadInput
from core.logs.sources import ACCEPTED, PACKINGS, Container, container_of

_CHUNK = 1 << 20
_HIGHEST_RATIO = 200  # logs pack to a tenth, very repetitive ones to a hundredth
_ALWAYS_FINE = 1 << 28  # bytes, however small they were packed
_SHARE_OF_DISK = 3  # the text is staged twice more before it is events
_MOST_MEMBERS = 10_000
_ENCRYPTED = 0x1
_NEEDED_WHOLE = (b"PAR1", b"PK")  # their table of contents is at the end


def unpack(path: Path, scratch: Path, limit: int | None = None) -> list[Path]:
    """Return plain files with the content of `path`; at most about `limit` bytes of each.

    A file that is not packed is returned as it is.

    Raises
    ------
    BadInput
        If the file is empty, broken off, encrypted, packed twice, or too large unpacked.
    """
    if path.stat().st_size == 0:
        raise BadInput(f"'{path.name}' is empty. {ACCEPTED}, with at least one event.")
    packing = container_of(path)
    if packing not in PACKINGS:
        return [path]
    room = _Room(path, scratch)
    with _reading(path):
        if packing == "zip":
            return _unzip(path, scratch, room, limit)
        with _decompressed(path, packing) as stream:
            return [_copy(stream, _target(scratch, path.stem), room, limit)]


class _Room:
    """How much a packed file may unpack to: a zip bomb must fill neither disk nor day."""

    def __init__(self, path: Path, scratch: Path) -> None:
        by_ratio = max(_ALWAYS_FINE, _HIGHEST_RATIO * path.stat().st_size)
        by_disk = shutil.disk_usage(scratch).free // _SHARE_OF_DISK
        self.name = path.name
        self.bytes = self.left = min(by_ratio, by_disk)

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise BadInput(
                f"'{self.name}' unpacks to more than {self.bytes / 1e6:,.0f} MB. Accepted: up to "
                f"{_HIGHEST_RATIO} times its own size and 1/{_SHARE_OF_DISK} of the free disk "
                "space. If it is a log, unpack it and give the plain files."
            )


@contextmanager
def _decompressed(path: Path, packing: Container) -> Iterator[IO[bytes]]:
    if packing == "gzip":
        with gzip.open(path) as stream:
            yield cast(IO[bytes], stream)
    elif packing == "bzip2":
        with bz2.open(path) as stream:
            yield cast(IO[bytes], stream)
    else:
        with pa.input_stream(str(path), compression="zstd") as arrow:
            yield arrow


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    broken = (EOFError, OSError, RuntimeError, ValueError, struct.error)
    try:
        yield
    except (*broken, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise BadInput(
            f"'{path.name}' is packed but cannot be unpacked ({error}); it may be cut off. "
            "Copy or download it again."
        ) from error


def _unzip(path: Path, scratch: Path, room: _Room, limit: int | None) -> list[Path]:
    with zipfile.ZipFile(path) as archive:
        members = _members(archive)
        _check_members(path, members)
        plain = []
        for member in members:
            # The name is only a label: no part of it decides where the file is written.
            with archive.open(member) as stream:
                target = _target(scratch, _name_of(member))
                plain.append(_copy(stream, target, room, limit))
    return plain


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    return [
        member
        for member in sorted(archive.infolist(), key=lambda member: member.filename)
        if not member.is_dir()
        and not member.filename.startswith("__MACOSX/")
        and not re.match(r"\.[^.]", _name_of(member))
        and member.file_size
    ]


def _name_of(member: zipfile.ZipInfo) -> str:
    return PurePosixPath(member.filename.replace("\\", "/")).name


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    if not members:
        raise BadInput(f"'{path.name}' holds no file. {ACCEPTED}.")
    if len(members) > _MOST_MEMBERS:
        raise BadInput(
            f"'{path.name}' holds {len(members):,} files. Accepted: up to {_MOST_MEMBERS:,}."
        )
    for member in members:
        if member.flag_bits & _ENCRYPTED:
            raise BadInput(f"'{path.name}' is encrypted. Accepted: archives without a password.")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise BadInput(
                f"'{path.name}' holds a link, '{member.filename}', instead of a file. "
                f"Pack the file that it leads to. {ACCEPTED}."
            )


def _target(scratch: Path, name: str) -> Path:
    """Return a path of its own for a file that is to be called `name`."""
    safe = re.sub(r"[^\w.-]", "_", name).lstrip(".")[-60:] or "log"
    return Path(tempfile.mkdtemp(prefix="unpacked-", dir=scratch)) / safe


def _copy(stream: IO[bytes], target: Path, room: _Room, limit: int | None) -> Path:
    with target.open("wb") as plain:
        while (limit is None or plain.tell() < limit) and (chunk := stream.read(_CHUNK)):
            if plain.tell() == 0 and chunk.startswith(_NEEDED_WHOLE):
                limit = None
            room.take(len(chunk))
            plain.write(chunk)
    if target.stat().st_size == 0:
        raise BadInput(f"The file packed in '{room.name}' is empty. {ACCEPTED}.")
    if container_of(target) in PACKINGS:
        raise BadInput(f"'{room.name}' is packed twice. {ACCEPTED}, packed once.")
    return target
