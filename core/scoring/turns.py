"""Who computes first among the processes of a machine: while a person waits, runs pause.

One file and the kernel's own locks on it: whoever serves a person shares it, a run takes it for
itself for a moment before each batch. A killed process leaves no lock behind.
"""

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PATIENCE: Final = 2.0  # seconds
POLL: Final = 0.005


@contextmanager
def person_waits() -> Iterator[None]:
    """Let the runs of all processes of this user pause until the block ends."""
    with _file().open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield  # closing the file gives the lock back


def let_persons_first() -> None:
    """Return once no process serves a waiting person, or after `PATIENCE`: a run must end too."""
    given_up = time.monotonic() + PATIENCE
    with _file().open("ab") as file:
        while time.monotonic() < given_up:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(POLL)
            else:
                return


def _file() -> Path:
    return Path(tempfile.gettempdir()) / f"spoor-{os.getuid()}.turns"
