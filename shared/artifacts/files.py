"""Puts files and folders in place whole, locks them, and ties a process to its parent.

Whoever looks, and whatever kills the writer, finds the old or the new one.
"""

import ctypes
import fcntl
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1  # of linux/prctl.h
POLL_SECONDS = 0.5  # between two looks at a lock that another process holds


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """A name beside `path` to write to; at the end of the block that file takes the place of `path`.

    A loss of power, too, leaves the old or the new file. `durable=False` is for scratch files, which nobody reads after
    one: thousands of small ones would spend longer waiting for the disk than being written.
    """
    partial = path.with_name(f".{path.name}.partial")
    yield partial
    if durable:
        sync(partial)
    os.replace(partial, path)
    if durable:
        _sync_folder(path.parent)


def write_text(path: Path, text: str, *, mode: int = 0o666, durable: bool = True) -> None:
    """Replace `path` by `text` in UTF-8. `mode`, less the umask, holds from the first byte on: 0o600 for a secret."""
    with replacing(path, durable=durable) as partial:
        partial.unlink(missing_ok=True)  # of a killed writer: it would keep the mode that it has
        with open(partial, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(text)


def write_json(path: Path, value: object, *, mode: int = 0o666, durable: bool = True) -> None:
    """Replace `path` by `value` as JSON, in lines indented by one space."""
    write_text(path, json.dumps(value, indent=1) + "\n", mode=mode, durable=durable)


@contextmanager
def replacing_folder(folder: Path, old: Path | None = None) -> Iterator[Path]:
    """An empty folder beside `folder` to fill; at the end of the block it takes the place of `folder`.

    `old` is as in `replace_folder`. A block that fails leaves `folder` as it was and nothing beside it.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a killed writer
    partial.mkdir(parents=True)
    try:
        yield partial
        replace_folder(partial, folder, old)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def replace_folder(partial: Path, folder: Path, old: Path | None = None) -> None:
    """Put the filled `partial` in the place of `folder`, whose content goes.

    A kill in between leaves no `folder`, or, where a name for the `old` one is given, the content under that name.
    """
    if old is None:
        shutil.rmtree(folder, ignore_errors=True)
    elif folder.exists():  # if not, `old` is the only whole one: it stays until the new one is in place
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    partial.rename(folder)
    _sync_folder(folder.parent)
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def locked(path: Path, message: str, wait_seconds: float = 0.0) -> Iterator[int]:
    """Hold the file `path`; the system lets go of it when this process dies, however it dies.

    Raises ValueError(message) where another process still holds it after `wait_seconds`. Yields the file's descriptor:
    a child process that inherits it holds the lock too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_seconds
    with path.open("w", encoding="utf-8") as file:
        while not _lock(file.fileno()):
            if time.monotonic() >= deadline:
                raise ValueError(message)
            time.sleep(POLL_SECONDS)
        yield file.fileno()


def die_with_parent(number: signal.Signals) -> None:
    """On Linux: have this process get the signal when the one that started it dies, so that no orphan goes on."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def sync(path: Path) -> None:
    """Wait until what `path` holds is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Wait until the names in `folder` are on the disk."""
    with suppress(OSError):  # some network file systems cannot say so of a folder; the files are in place all the same
        sync(folder)
