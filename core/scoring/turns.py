"""Who computes first among the processes of a machine: while a person waits, runs pause.

One file and the kernel's own locks on it: whoever serves a person shares it, a run takes it for
itself for a moment before each batch. A killed process leaves no lock behind.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def person_waits() -> Iterator[None]:
    """Let the runs of all processes of this user pause until the block ends."""
    with _file().open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield  # closing the file gives the lock back


def let_persons_first() -> None:
    """Return once no process serves a waiting person."""
    with _file().open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)


def _file() -> Path:
    return Path(tempfile.gettempdir()) / f"spoor-{os.getuid()}.turns"
