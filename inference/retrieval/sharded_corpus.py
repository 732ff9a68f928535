"""Keeps the vectors of a catalogue that is too large for memory on disk, in shards, to be searched one by one."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from shared.artifacts.files import replacing, write_text

SHARD_BYTES = 1 << 28  # A shard has as many in float32, as it is searched: 262,144 rows of width 256, 13,107 of 5,120.


def write_corpus(ids: np.ndarray, encode: Callable[[slice], np.ndarray], width: int, folder: Path) -> None:
    """Write the vectors [N, width] that `encode` gives for slices of `ids` to `folder`, in float16.

    A shard that stands there whole is not encoded again: a run that was killed goes on. Rounding to float16 moves
    about 1 place in 100 of a ranking; half the disk and half the reading is worth that to millions of rows only. A row
    of NaN, which had no answer, is left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = max(1, SHARD_BYTES // (4 * width))
    for number, start in enumerate(range(0, len(ids), rows)):
        part = slice(start, min(start + rows, len(ids)))
        shard = folder / f"{number:06d}.sha256"
        if not _is_whole(shard):
            vectors = encode(part)
            there = np.isfinite(vectors).all(1)  # what the model has no answer for is not found
            _write(_beside(shard, "vectors"), np.asarray(vectors[there], np.float16))
            _write(_beside(shard, "ids"), ids[part][there])
            write_text(shard, _hash(shard))  # last: it says that the shard is whole


def read_corpus(folder: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(ids [n], vectors [n, width]) of every shard; the exact products of these vectors are what is searched.

    Raises ValueError for a damaged shard.
    """
    for shard in sorted(folder.glob("*.sha256")):
        if not _is_whole(shard):
            raise ValueError(f"{_beside(shard, 'vectors')} is damaged: its shard is to be encoded again")
        if len(ids := np.load(_beside(shard, "ids"))):
            yield ids, np.load(_beside(shard, "vectors")).astype(np.float32)


def _beside(shard: Path, name: str) -> Path:
    return shard.with_name(f"{shard.stem}.{name}.npy")


def _is_whole(shard: Path) -> bool:
    try:
        return shard.read_bytes().decode(errors="replace") == _hash(shard)
    except FileNotFoundError:
        return False


def _hash(shard: Path) -> str:
    """SHA-256, in hex, of both of a shard's files."""
    total = hashlib.sha256()
    for name in ("ids", "vectors"):
        with open(_beside(shard, name), "rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def _write(path: Path, rows: np.ndarray) -> None:
    with replacing(path) as partial, open(partial, "wb") as file:
        np.save(file, rows)
