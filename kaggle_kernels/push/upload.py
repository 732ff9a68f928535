"""Moves files to Kaggle's storage and survives every break: what has arrived is asked for and never sent again.

The protocol is Google's resumable upload: PUT the rest; after a break, PUT nothing with `Content-Range: bytes */size`
and read from 308's Range how much is there. The kaggle package's own uploader follows it too, but has no time limit,
swallows a failed file, and knows a file by its path and mtime instead of its SHA-256.
"""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO

from kaggle_kernels.api.datasets import put, start_blob
from kaggle_kernels.api.retries import Clock, Refused
from kaggle_kernels.api.session import Kaggle
from kaggle_kernels.push.pending import Blob, Pending

RESUME_SECONDS = 6 * 24 * 3600  # An upload that is older is begun anew; Google keeps one for a week.
STALLS = 8  # breaks in a row without a new byte: 1 + 2 + ... + 64 s and a little
BEGINNINGS = 3  # times one file may be begun in one run


def upload(
    kaggle: Kaggle, clock: Clock, folder: Path, files: dict[str, dict], pending: Pending, moved: Callable
) -> dict[str, str]:
    """{name: token} of `files` ({name: {sha256, bytes}} in `folder`); what an earlier run brought over is not resent.

    `moved`(name, bytes) hears how much of a file is there. Raises Refused naming the file that cannot be brought over.
    """
    tokens = {}
    for name, facts in files.items():
        key = f"{facts['sha256']} {name}"
        blob, there = pending.blobs.get(key), None
        if blob and blob.begun + RESUME_SECONDS < clock.now():
            blob = None
        for _ in range(BEGINNINGS):
            if blob is None:
                token, address = start_blob(
                    kaggle, Path(name).name, facts["bytes"], int((folder / name).stat().st_mtime)
                )
                blob, there = Blob(token=token, address=address, begun=clock.now(), done=False), 0
                pending.keep(key, blob)  # before the first byte: a kill must not lose the address
            if blob.done or _sent(clock, folder / name, blob.address, there, partial(moved, name)):
                break
            blob = None
        else:
            raise Refused(f"Kaggle's storage forgets {name} each time it is begun; run the command again")
        moved(name, facts["bytes"])
        pending.keep(key, blob.model_copy(update={"done": True}))
        tokens[name] = blob.token
    return tokens


def _sent(clock: Clock, path: Path, address: str, there: int | None, moved: Callable) -> bool:
    """Whether all of `path` is at `address` now; False where that is forgotten. `there`: bytes there, if known."""
    size, reached, stalls = path.stat().st_size, 0, 0
    while stalls < STALLS:
        asking = there is None
        status, reach = _put(path, address, there, moved)
        if status in (200, 201):
            return True
        known = _bytes_there(reach) if status == 308 else None
        if (status == 308 and (known is None or known >= size)) or (
            300 <= status < 500 and status not in (308, 408, 429)
        ):
            return False  # it is forgotten, or makes no sense: begin anew
        stalls = 0 if known is not None and known > reached else stalls + (not asking or known is None)
        reached, there = max(reached, known or 0), known
        if known is None:
            clock.sleep(2.0 ** min(stalls - 1, 6))
    raise Refused(
        f"{path.name} makes no headway ({status or 'the connection breaks'});"
        " run the command again to go on where it stopped"
    )


def _put(path: Path, address: str, there: int | None, moved: Callable) -> tuple[int, str]:
    """Send the bytes from `there` on; None asks how many are there."""
    size = path.stat().st_size
    if there is None:
        return put(address, b"", {"Content-Range": f"bytes */{size}"})
    with open(path, "rb") as file:
        file.seek(there)
        headers = {"Content-Range": f"bytes {there}-{size - 1}/{size}"} if there else {}
        return put(address, _Rest(file, size, moved), headers)


def _bytes_there(reach: str) -> int | None:
    """Bytes behind a 308's Range: "bytes=0-99" is 100, none is 0; None where it cannot be read."""
    if not reach:
        return 0
    found = re.fullmatch(r"bytes=0-(\d+)", reach)
    return int(found[1]) + 1 if found else None


class _Rest:
    """What `requests` sends: the rest of a file, telling `moved` how far it is."""

    def __init__(self, file: BinaryIO, size: int, moved: Callable) -> None:
        self._file, self._left, self._moved = file, size - file.tell(), moved

    def __len__(self) -> int:
        return self._left

    def read(self, count: int = -1) -> bytes:
        block = self._file.read(count)
        self._moved(self._file.tell())
        return block
