"""Puts files and folders in place whole: whoever looks, and whatever kills the writer, finds the old or the new one.

What is written reaches the disk before its name does, first the files, then their folder: a loss of power, too, leaves
the old or the new one.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shared.artifacts.disk import disk_sentence, naming


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """A name beside `path` to write to; at the end of the block that file takes the place of `path`.

    `durable=False` is for scratch files, which nobody reads after a loss of power: thousands of small ones would spend
    longer waiting for the disk than being written.
    """
    partial = path.with_name(f".{path.name}.partial")
    with naming(path, partial):
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


def write_log(path: Path, value: object, *, durable: bool = True) -> None:
    """As `write_json`, but what the disk refuses is said, no more."""
    with costing_no_result():
        write_json(path, value, durable=durable)


@contextmanager
def costing_no_result() -> Iterator[None]:
    """For writing what tells of a result, which must not cost the result: what the disk refuses is said, no more."""
    try:
        yield
    except OSError as error:
        with suppress(OSError):  # the output may lie on the same disk
            print(f"{disk_sentence(error) or error}: it is left out", file=sys.stderr, flush=True)


@contextmanager
def replacing_folder(folder: Path, old: Path | None = None) -> Iterator[Path]:
    """An empty folder beside `folder` to fill; at the end of the block it takes the place of `folder`.

    `old` is as in `replace_folder`. A block that fails leaves `folder` as it was and nothing beside it.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a killed writer
    partial.mkdir(parents=True)
    try:
        with naming(folder):
            yield partial
            replace_folder(partial, folder, old)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def replace_folder(partial: Path, folder: Path, old: Path | None = None) -> None:
    """Put the filled `partial` in the place of `folder`, whose content goes, or stays under the name `old`.

    A kill in between leaves no `folder`, and where a name for the old one is given, the content under that name.
    """
    sync_tree(partial)
    if old is None:
        shutil.rmtree(folder, ignore_errors=True)
    elif folder.exists():  # if not, `old` is the only whole one: it stays
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    partial.rename(folder)
    _sync_folder(folder.parent)


def remove_partials(folder: Path) -> None:
    """Remove what killed writers left in `folder`, however deep: they wrote beside what they would have replaced."""
    for path in folder.rglob(".*.partial"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until what `path` holds is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Wait until every file in `folder`, and then every name, is on the disk; what is there already takes no time."""
    for place, _, names in os.walk(folder, topdown=False):
        for name in names:
            sync(Path(place, name))
        _sync_folder(Path(place))


def _sync_folder(folder: Path) -> None:
    """Wait until the names in `folder` are on the disk."""
    with suppress(OSError):  # some network file systems cannot say so of a folder; the files are in place all the same
        sync(folder)
