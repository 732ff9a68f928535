"""Shows how far an upload is: a bar with rate and time left on a terminal, one line for each file elsewhere."""

import sys
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


class UploadProgress:
    """A context; call it with (name, bytes of that file that have arrived)."""

    def __init__(self, sizes: dict[str, int]) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=Console(file=sys.stderr), disable=not sys.stderr.isatty())
        self._task = self._bar.add_task("uploading", total=sum(sizes.values()))
        self._sizes, self._there, self._said = sizes, dict.fromkeys(sizes, 0), set()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_) -> None:
        self._bar.stop()

    def __call__(self, name: str, there: int) -> None:
        self._there[name] = there
        self._bar.update(self._task, description=name, completed=sum(self._there.values()))
        if self._bar.disable and there == self._sizes[name] and name not in self._said:
            self._said.add(name)
            print(f"  {name}: {there:,} bytes", file=sys.stderr)
