"""Keeps what is known of every test row on disk, chunk by chunk, and writes the best submission.csv made from it.

Memory holds one chunk. submission.csv is replaced whole or not at all, so what stands there is always valid.
"""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import polars as pl

from shared.artifacts.files import replacing
from shared.artifacts.locks import locked
from shared.task.current import TASK
from shared.task.submission import submission_rows

SELDOM = 50  # times as long as a writing takes is waited for the next: it costs 2 % of the time at most


def work_folder(out: Path) -> Path:
    """Where the chunks of `out` are kept; gone when the work is done."""
    return out.with_name(f".{out.name}.work")


def lock_file(out: Path) -> Path:
    """What is locked while `out`, and what stands beside it, is written."""
    return out.with_name(".predict.lock")


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Inside, nobody else writes to the folder of `out`. Raises ValueError where somebody does."""
    with locked(lock_file(out), f"another predict writes to {out.parent}: wait for it, or name another folder"):
        try:
            yield
        finally:
            with suppress(OSError):  # a disk that lets nothing be deleted: the result stands all the same
                lock_file(out).unlink(missing_ok=True)


class ChunkStore:
    """Test rows in chunks; a chunk has named tables, and its rows of the submission."""

    def __init__(self, out: Path, clock: Callable[[], float] = time.monotonic, names: Mapping[int, str] | None = None):
        folder = work_folder(out).resolve()
        self.folder, self.out, self.clock = folder, out, clock
        self.names = names  # of the candidates in a submission, where these are not their ids
        self.sizes: list[int] = []  # rows of each chunk
        self.stale: set[int] = set()  # chunks of which more is known than their rows say
        self.last, self.took = -float("inf"), 0.0
        shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
        folder.mkdir(parents=True)

    def add(self, queries: pl.DataFrame) -> int:
        """A new chunk of these test rows; its number."""
        self.sizes.append(len(queries))
        self.keep("queries", len(self.sizes) - 1, queries)
        return len(self.sizes) - 1

    def keep(self, name: str, chunk: int, table: pl.DataFrame) -> None:
        """Remember a table of a chunk under that name, in place of an older one."""
        with replacing(self._path(name, chunk), durable=False) as partial:  # nothing here outlives the run
            table.write_parquet(partial)
        self.stale.add(chunk)

    def has(self, name: str, chunk: int) -> bool:
        return self._path(name, chunk).exists()

    def read(self, name: str, chunk: int) -> pl.DataFrame:
        return pl.read_parquet(self._path(name, chunk), memory_map=False)  # a mapped file would be counted as memory

    def publish(self, rank: Callable[[int], pl.DataFrame], final: bool) -> float:
        """Replace submission.csv by what `rank`, which makes a chunk's ranked table, now says; or wait, unless `final`.

        Returns the seconds that writing takes.
        """
        began = self.clock()
        if not self.stale or (not final and began - self.last < SELDOM * self.took):
            return self.took
        for chunk in sorted(self.stale):
            rows = submission_rows(rank(chunk), self.read("queries", chunk)["query_id"], names=self.names)
            rows.write_csv(self._path("rows", chunk), include_header=False)
        self._join()
        self.stale.clear()  # only now: if the disk refuses the file, the next publication has to try again
        self.last = self.clock()
        self.took = self.last - began
        return self.took

    def query_ids(self) -> Iterator[str]:
        """The ids of all rows, in order."""
        for chunk in range(len(self.sizes)):
            yield from self.read("queries", chunk)["query_id"]

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _join(self) -> None:
        with replacing(self.out) as partial, open(partial, "wb") as whole:
            whole.write((",".join(TASK.submission.columns) + "\n").encode())
            for chunk in range(len(self.sizes)):
                with open(self._path("rows", chunk), "rb") as part:
                    shutil.copyfileobj(part, whole)

    def _path(self, name: str, chunk: int) -> Path:
        return self.folder / f"{name}-{chunk:06d}"
