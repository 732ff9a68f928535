"""Puts a file in place whole: whoever looks, and whatever kills the writer, it is the old or the new one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; at the end of the block that file takes the place of `path`."""
    partial = path.with_name(f".{path.name}.partial")
    yield partial
    os.replace(partial, path)
