"""Who computes first among the processes of a user: while a person waits, runs pause.

One file and the kernel's own locks on it: whoever serves a person shares it, a run takes it for
itself for a moment before each batch. A killed process leaves no lock behind. All of it is
courtesy: where the lock cannot be had, nobody is known to wait and work goes on.
"""

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

PATIENCE: Final = 2.0  # seconds
POLL: Final = 0.005


@contextmanager
def person_waits() -> Iterator[None]:
    """Let the runs of all processes of this user pause until the block ends."""
    with ExitStack() as stack:
        with suppress(OSError):
            stack.callback(os.close, file := _open())  # gives the lock back, too
            _lock(file, fcntl.LOCK_SH)
        yield


def let_persons_first() -> None:
    """Return once no process serves a waiting person, or after `PATIENCE`: a run must end too."""
    with ExitStack() as stack, suppress(OSError):
        stack.callback(os.close, file := _open())
        _lock(file, fcntl.LOCK_EX)


def _lock(file: int, how: int) -> None:
    """Wait for a lock, for `PATIENCE` at most."""
    given_up = time.monotonic() + PATIENCE
    while time.monotonic() < given_up:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(POLL)
        else:
            return


def _open() -> int:
    """Open the file in a folder that no other user can enter: one of theirs could lock it."""
    folder = Path(tempfile.gettempdir()) / f"spoor-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid != os.getuid():
        raise PermissionError(f"{folder} is another user's")
    return os.open(folder / "turns", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
