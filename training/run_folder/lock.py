"""Lets one process at a time work at a stage of a run folder."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_SECONDS = 60  # an orphan of a killed run gets its signal at once and needs a moment to end


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold `path` while a stage runs; the system lets go of it when this process dies, however it dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        deadline = time.monotonic() + LOCK_SECONDS
        while not _taken(file):
            if time.monotonic() > deadline:
                raise ValueError(f"{path} is held: another process runs this stage; wait for it or stop it")
            time.sleep(0.5)
        yield file.fileno()


def _taken(file) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
