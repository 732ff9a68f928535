"""Keeps the vectors of a catalogue that is too large for memory on disk, in shards, to be searched one by one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from shared.artifacts.files import replacing

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
        if not (folder / f"{number:06d}.ids.npy").exists():
            vectors = encode(part)
            there = np.isfinite(vectors).all(1)
            _write(folder / f"{number:06d}.vectors.npy", np.asarray(vectors[there], np.float16))
            _write(folder / f"{number:06d}.ids.npy", ids[part][there])  # last: it says that the shard is whole


def read_corpus(folder: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(ids [n], vectors [n, width]) of every shard; the exact products of these vectors are what is searched."""
    for path in sorted(folder.glob("*.ids.npy")):
        if len(ids := np.load(path)):
            yield ids, np.load(path.with_name(path.name.replace("ids", "vectors"))).astype(np.float32)


def _write(path: Path, rows: np.ndarray) -> None:
    with replacing(path) as partial, open(partial, "wb") as file:
        np.save(file, rows)
