"""Lists what a soak tries: a function for every room of cases, given a folder to work in."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.soak.damage import damage
from tests.soak.frame import Case
from tests.soak.fuzz import fuzz
from tests.soak.kills import kills
from tests.soak.ranks import ranks

ROOMS = (kills, damage, fuzz, ranks)  # each a context manager: folder -> list of cases; what it starts ends with it


@contextmanager
def all_cases(folder: Path) -> Iterator[list[Case]]:
    """The cases of every room; each room has a folder of its own in `folder`."""
    with ExitStack() as rooms:
        found = [rooms.enter_context(room(folder / room.__name__)) for room in ROOMS]
        yield [case for cases in found for case in cases]
