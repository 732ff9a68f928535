"""Names the task that this process is about: everything that depends on the task asks it here.

It is Eedi's until `use` says another, which a command does first of all: an iteration's params.toml names its task, and
so does the manifest of every folder that a run has made. What is measured or handed in takes a metric or a submission's
form as a parameter, and without one asks this task; files are read through TASK.read and its like.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shared.task.eedi import EEDI
from shared.task.files.definition import find_definition
from shared.task.files.task import task_of
from shared.task.task import Task

_current = EEDI


class _Current:
    """The attributes of the task that this process is about at the moment."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_current, name)


TASK: Task = _Current()  # type: ignore[assignment]


def find_task(name: str) -> Task:
    """The task eedi, or that of a file in shared/task/files/definitions. ValueError where that name has none."""
    return EEDI if name == EEDI.name else task_of(name, find_definition(name))


def use(name: str) -> Task:
    """Let this process be about the task of that name, and return it. Raises ValueError as find_task."""
    global _current
    if _current.name != name or name != EEDI.name:
        _current = find_task(name)
    return _current


@contextmanager
def about(name: str) -> Iterator[Task]:
    """Inside, this process is about the task of that name."""
    global _current
    before = _current
    try:
        yield use(name)
    finally:
        _current = before


def task_of_model(folder: Path) -> str:
    """The name of the task that the model in `folder` was made for; eedi where its manifest names none."""
    from shared.artifacts.lineage import read_lineage
    from shared.artifacts.manifest import MANIFEST

    return (read_lineage(folder).task if (folder / MANIFEST).is_file() else None) or EEDI.name
