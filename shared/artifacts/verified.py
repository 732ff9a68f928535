"""Refuses a folder, or a file of one, that is not what its manifest lists; what was hashed once is only asked its time.

What was compared is noted in the folder, with the size, times and inode that each file had. A file that differs in one
of them is hashed again, and so is everything in a copy: a copied manifest vouches for nothing that it did not see.
"""

import json
import time
from collections.abc import Collection
from pathlib import Path

from shared.artifacts.files import write_json
from shared.artifacts.manifest import (
    VERIFIED,
    check_facts,
    check_sizes,
    is_whole,
    read_manifest,
)

TICK_NS = 50_000_000  # A file system takes its times from a clock that may stand still for so long.
CTIME = 3  # place in a state


def check_folder(folder: Path, *, hash_all: bool = False, beside: Collection[str] = ()) -> None:
    """Raise ValueError, naming the file, unless `folder` holds what its manifest lists; `hash_all` trusts no note.

    `beside` are the files that may stand there unlisted. A folder without a manifest has nothing to be compared with,
    and is let through.
    """
    if not is_whole(folder):
        return
    listed, noted = read_manifest(folder)["files"], {} if hash_all else _read_note(folder)
    check_sizes(folder, listed, beside)
    for name in sorted(listed):
        _check(folder, name, listed[name], noted)
    note_as_listed(folder)


def check_file(path: Path) -> None:
    """Raise ValueError unless the file is as the manifest beside it lists it, where there is a manifest."""
    folder = path.parent
    if is_whole(folder) and (facts := read_manifest(folder)["files"].get(path.name)) and path.is_file():
        _check(folder, path.name, facts, _read_note(folder))


def note_as_listed(folder: Path) -> None:
    """Note that every file of `folder` is, at this moment, what its manifest lists.

    A file of this very moment is left out: what changes it next may leave it the same times.
    """
    before = time.time_ns() - TICK_NS
    now = {name: _state(folder / name, facts) for name, facts in read_manifest(folder)["files"].items()}
    now = {name: state for name, state in now.items() if state[CTIME] < before}
    if now == _read_note(folder):
        return
    try:
        write_json(folder / VERIFIED, now, durable=False)
    except OSError:  # Kaggle mounts its inputs to be read only: there everything is hashed whenever it is read.
        return


def _check(folder: Path, name: str, facts: dict, noted: dict) -> None:
    if noted.get(name) != _state(folder / name, facts):
        check_facts(folder / name, facts)


def _state(path: Path, facts: dict) -> list:
    """What would differ if the file, or what is listed of it, had changed. A ctime cannot be set, as a mtime can."""
    found = path.stat()
    return [facts["sha256"], found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _read_note(folder: Path) -> dict:
    try:
        noted = json.loads((folder / VERIFIED).read_bytes())
    except (OSError, ValueError):  # never written, or damaged
        return {}
    return noted if isinstance(noted, dict) else {}
