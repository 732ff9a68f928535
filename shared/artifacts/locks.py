"""Lets one process at a time work on something, says which one does, and ties a process to its parent."""

import ctypes
import errno
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1  # of linux/prctl.h
POLL_SECONDS = 0.5  # between two looks at a lock that another process holds
SHOWN = 120  # characters of a command line


@contextmanager
def locked(path: Path, message: str, wait_seconds: float = 0.0, *, for_orphans: bool = False) -> Iterator[int]:
    """Hold the file `path`; the system lets go of it when this process dies, however it dies.

    Where another process holds it, that one is named at once. Raises ValueError where it still does after
    `wait_seconds`: `message`, and who; with `for_orphans` at once, if it is the process that took the lock and not one
    that was left behind by it, which is about to end. Yields the file's descriptor: a child process that inherits it
    holds the lock, too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline, said = time.monotonic() + wait_seconds, False
    while (descriptor := _take(path)) is None:
        who = holder(path)
        if time.monotonic() >= deadline or (for_orphans and _signer(path)):
            raise ValueError(f"{message} ({who})")
        if not said:
            print(f"waiting for {path}: {who}", file=sys.stderr, flush=True)
            said = True
        time.sleep(POLL_SECONDS)
    try:
        _sign(descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def holder(path: Path) -> str:
    """`held by process 123, "python -m training train iter=1", since 2026-11-26 10:58:03`."""
    if signer := _signer(path):
        return signer
    others = [pid for pid in _open_in(path) if pid != os.getpid()]  # a child that outlived who wrote the note
    return "; ".join(f'held by process {pid}, "{_command(pid)}"' for pid in others) or "held by a process not seen here"


def _signer(path: Path) -> str:
    """Who took the lock and signed it, as `holder` says it; "" where that process is gone or wrote nothing."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        if _command(note["pid"]) == note["command"]:
            return f'held by process {note["pid"]}, "{note["command"]}", since {note["since"]}'
    except (OSError, ValueError, TypeError, KeyError):  # it wrote none: its disk is full, or it has just begun
        pass
    return ""


def die_with_parent(number: signal.Signals) -> None:
    """On Linux: have this process get the signal when the one that started it dies, so that no orphan goes on."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


def _take(path: Path) -> int | None:
    """The descriptor of `path`, locked; None where another process holds it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        if not _lock(descriptor, path):
            os.close(descriptor)
            return None
        if path.exists() and os.path.samestat(os.fstat(descriptor), os.stat(path)):
            return descriptor
        os.close(descriptor)  # who held it has deleted it meanwhile: it would lock nothing


def _lock(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    return True


def _sign(descriptor: int) -> None:
    """Write into the lock who holds it."""
    note = {"pid": os.getpid(), "command": _command(os.getpid()), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    with suppress(OSError):  # a full disk: the lock holds without
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(note).encode(), 0)


def _command(pid: int) -> str:
    """The command line of a process, "" where there is none of that number."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError as error:
        return "" if error.errno in (errno.ENOENT, errno.ESRCH) else "?"
    return b" ".join(words).decode(errors="replace").strip()[:SHOWN]


def _open_in(path: Path) -> list[int]:
    """Processes that have `path` open."""
    found = []
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if os.path.samestat(link.stat(), path.stat()):
                found.append(int(link.parts[2]))
    return sorted(set(found))
