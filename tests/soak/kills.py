"""Kills commands at their writes, renames and syncs, and cuts the power: repeated, they make what they would have made.

Also lets the disk refuse, from some step on: one sentence, a status that is not 0, and nothing lost.
"""

import errno
import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.soak.frame import Case
from tests.soak.nursery import KILL_BEFORE, KILL_HALFWAY, REFUSE, Ended, Errand, Nursery, open_nursery
from tests.soak.small_run import Step, hashes, make_steps

WRITE, CREATE, OPEN, FSYNC, RENAME, REMOVE, MKDIR, TRUNCATE = (1 << place for place in range(8))
CHANGES = WRITE | CREATE | OPEN | RENAME | REMOVE | MKDIR | TRUNCATE
REFUSALS = {  # {error: kinds of steps that it refuses}
    "ENOSPC": WRITE | CREATE | MKDIR,
    "EDQUOT": WRITE | CREATE | MKDIR,
    "EIO": WRITE | FSYNC | OPEN | CREATE,
    "EROFS": CHANGES,
    "EACCES": CREATE | OPEN | MKDIR | RENAME | REMOVE,
}
DEGRADED = 3  # status of predict: a valid submission in spite of a failure, which is said
MOST_KILLS = 3  # one after the other, before the command may end


@contextmanager
def kills(folder: Path, only: str = "") -> Iterator[list[Case]]:
    """The cases of every command of a small run, or of the one that is called `only`."""
    with open_nursery(folder) as nursery:
        steps = make_steps(nursery, folder / "run", only)
        yield [case for step in steps if only in ("", step.name) for case in _cases(nursery, step, folder / "place")]


def _cases(nursery: Nursery, step: Step, place: Path) -> list[Case]:
    given = nursery, step, place
    return [
        Case("killed before a step", step.name, partial(_check_kills, *given, KILL_BEFORE)),
        Case("killed in a step", step.name, partial(_check_kills, *given, KILL_HALFWAY)),
        Case("power cut", step.name, partial(_check_power_cut, *given)),
        *(Case(f"disk says {name}", step.name, partial(_check_refusal, *given, name)) for name in REFUSALS),
    ]


def _check_kills(nursery: Nursery, step: Step, place: Path, how: int, seed: int) -> str | None:
    rng = random.Random(f"{step.name} {how} {seed}")
    _restore(step, place)
    told = []
    for _ in range(rng.randint(1, MOST_KILLS)):
        at = rng.randint(1, len(step.steps))
        ended = nursery.run(Errand(step.words, str(place), at, how))
        told.append(f"{at} {_where(ended, place)}")
        if ended.status >= 0:
            break
    return _finish(nursery, step, place, f"killed at step {', '.join(told)}")


def _check_power_cut(nursery: Nursery, step: Step, place: Path, seed: int) -> str | None:
    rng = random.Random(f"{step.name} power {seed}")
    _restore(step, place)
    at = rng.randint(1, len(step.steps) + 1)  # the last one: after its end
    ended = nursery.run(Errand(step.words, str(place), at, KILL_BEFORE))
    loose: set[int] = set()
    for kind, inode, _ in ended.steps:
        if kind in (WRITE, TRUNCATE):
            loose.add(inode)
        elif kind == FSYNC:
            loose.discard(inode)
    for path in place.rglob("*"):
        if path.is_file() and path.stat().st_ino in loose:
            os.truncate(path, 0)
    return _finish(nursery, step, place, f"power cut at step {at} {_where(ended, place)}")


def _check_refusal(nursery: Nursery, step: Step, place: Path, name: str, seed: int) -> str | None:
    rng = random.Random(f"{step.name} {name} {seed}")
    kinds = REFUSALS[name]
    places = [number for number, (kind, _, _) in enumerate(step.steps, 1) if kind & kinds]
    at = rng.choice(places)
    _restore(step, place)
    ended = nursery.run(Errand(step.words, str(place), at, REFUSE, getattr(errno, name), kinds))
    what = f"{name} from step {at} {_where(ended, place, at)}"
    if ended.status == 0 and _differing(step, place):
        return f"{what}: status 0, and the result is another"
    if ended.status not in (0, DEGRADED) and (wrong := _not_a_sentence(ended)):
        return f"{what}: {wrong}"
    if ended.status == DEGRADED and "\n!!! " not in ended.err:
        return f"{what}: status {DEGRADED}, and nobody says why"
    return _finish(nursery, step, place, what)


def _not_a_sentence(ended: Ended) -> str:
    said = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    if ended.status < 0:
        return f"it died of signal {-ended.status}"
    if "Traceback" in ended.err and "!!! " not in ended.err:
        return f"it ended with a traceback: {ended.err.splitlines()[-1]}"
    return "" if len(said) == 1 else f"it said {len(said)} sentences: {ended.err[-300:]}"


def _finish(nursery: Nursery, step: Step, place: Path, what: str) -> str | None:
    """Repeat the command, undisturbed; what is wrong with what it made."""
    ended = nursery.run(Errand(step.words, str(place)))
    if ended.status:
        return f"{what}: repeated, it ended with status {ended.status}: {ended.err[-300:]}"
    others = [*_differing(step, place), *sorted(hashes(place / step.out).keys() - step.made.keys())]
    return f"{what}: repeated, it made other files: {', '.join(others)}" if others else None


def _differing(step: Step, place: Path) -> list[str]:
    """What the command makes and did not make as it should."""
    made = hashes(place / step.out)
    return [name for name, digest in step.made.items() if made.get(name) != digest]


def _restore(step: Step, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(step.before, place)


def _where(ended: Ended, place: Path, at: int = 0) -> str:
    """The file of the last step, or of step `at`."""
    if len(ended.steps) < max(at, 1):
        return "(never)"
    return Path(ended.steps[at - 1][2]).relative_to(place).as_posix()
