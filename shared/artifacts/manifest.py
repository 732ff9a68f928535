"""Writes a folder's manifest.json (SHA-256 and size of every file, and their lineage), and checks a folder by it."""

import hashlib
import json
import os
import re
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from shared.artifacts.files import sync, write_json

MANIFEST = "manifest.json"  # at the top of the folder; it does not list itself
PARTIAL = f".{MANIFEST}.partial"  # what files.py writes to first
VERIFIED = ".verified.json"  # a note of verified.py, true of this very copy only: no manifest lists it
UNLISTED = {MANIFEST, VERIFIED, f".{VERIFIED}.partial"}
CHUNK = 1 << 20  # bytes hashed at once: weights are larger than memory


def write_manifest(folder: Path, lineage: dict, known: dict[str, dict] | None = None) -> None:
    """Write `folder`/manifest.json: {"files": {path: {"sha256", "bytes"}}, "lineage": lineage}, after every other file.

    `known`: the entries of files that were hashed a moment ago; 28 GB take a minute.
    Raises ValueError for a symbolic link, for what is no plain file, and for an empty folder.
    """
    folder = Path(folder)
    (folder / PARTIAL).unlink(missing_ok=True)  # of a write that was killed
    known = known or {}
    files = {path: known.get(path) or file_facts(folder / path) for path in _paths(folder)}
    if not files:
        raise ValueError(f"{folder} holds no files, so there is nothing to list in {MANIFEST}")
    for path in files:  # a manifest that outlives a loss of power must not name weights that did not
        sync(folder / path)
    write_json(folder / MANIFEST, {"files": files, "lineage": lineage})


def is_whole(folder: Path) -> bool:
    """Whether `folder` is a whole output: its manifest is written last."""
    return (folder / MANIFEST).is_file()


def verify_manifest(folder: Path) -> None:
    """Hash every file of `folder` again. ValueError names the first file that is missing, extra or different."""
    folder = Path(folder)
    listed = read_manifest(folder)["files"]
    check_sizes(folder, listed)
    for path in sorted(listed):  # sizes first: a truncated file is named without hashing the 30 GB before it
        check_facts(folder / path, listed[path])


def check_sizes(folder: Path, listed: dict[str, dict], beside: Collection[str] = ()) -> None:
    """Raise ValueError for the first file that is missing, extra (but not `beside`), or of another size than listed."""
    found = set(_paths(folder)) - (set(beside) - listed.keys())
    for path in sorted(listed.keys() | found):
        if path not in found:
            raise ValueError(f"{folder / path} is missing: {MANIFEST} lists it; make or fetch the folder again")
        if path not in listed:
            raise ValueError(
                f"{folder / path} is extra: {MANIFEST} does not list it; remove it or make the folder again"
            )
        size = (folder / path).stat().st_size
        if size != listed[path]["bytes"]:
            raise ValueError(
                f"{folder / path} differs: {size} bytes, and {MANIFEST} says {listed[path]['bytes']}; "
                "make or fetch the folder again"
            )


def check_facts(path: Path, listed: dict) -> None:
    """Raise ValueError unless the file hashes to what is `listed` of it."""
    sha256 = file_facts(path)["sha256"]
    if sha256 != listed["sha256"]:
        raise ValueError(
            f"{path} differs: SHA-256 {sha256}, {MANIFEST} says {listed['sha256']}; make or fetch the folder again"
        )


def read_manifest(folder: Path) -> dict:
    """{"files": ..., "lineage": ...} of `folder`, unverified. Raises ValueError where it is absent or malformed."""
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise ValueError(f"{path} does not exist: the folder is not complete; run again what makes it")
    try:
        manifest = json.loads(path.read_bytes())
        sound = manifest.keys() == {"files", "lineage"} and isinstance(manifest["lineage"], dict)
        sound = sound and all(_is_entry(name, facts) for name, facts in manifest["files"].items())
    except (ValueError, AttributeError, RecursionError):  # not JSON, not UTF-8, or not an object
        sound = False
    if not sound:
        raise ValueError(f"{path} is no manifest: run again what makes the folder")
    return manifest


def digest(folder: Path) -> str:
    """SHA-256, in hex, of the file table alone: two folders of the same files agree, wherever the files came from."""
    table = json.dumps(read_manifest(folder)["files"], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(table.encode()).hexdigest()


def _paths(folder: Path) -> list[str]:
    """Sorted POSIX paths of the plain files under `folder`, without its manifest."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder")
    paths = []
    for place, folders, names in os.walk(folder):
        for name in folders + names:
            path = Path(place, name)
            if path.is_symlink():
                raise ValueError(f"{path} is a symbolic link: put the file itself there")
            if name in names and not path.is_file():
                raise ValueError(f"{path} is no plain file: remove it")
        paths += [Path(place, name).relative_to(folder).as_posix() for name in names]
    return sorted(path for path in paths if path not in UNLISTED)


def file_facts(path: Path) -> dict:
    """{"sha256", "bytes"} of one file, as the manifest lists it."""
    sha256, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            sha256.update(chunk)
            size += len(chunk)
    return {"sha256": sha256.hexdigest(), "bytes": size}


def _is_entry(name: str, facts: object) -> bool:
    """Whether a line of the table is sound; a path that could leave the folder is not."""
    inside = (
        name == PurePosixPath(name).as_posix() and not name.startswith("/") and ".." not in PurePosixPath(name).parts
    )
    shape = (
        isinstance(facts, dict)
        and facts.keys() == {"sha256", "bytes"}
        and type(facts["bytes"]) is int
        and facts["bytes"] >= 0
    )
    return (
        inside
        and name not in ("", ".", *UNLISTED)
        and shape
        and bool(re.fullmatch("[0-9a-f]{64}", str(facts["sha256"])))
    )
