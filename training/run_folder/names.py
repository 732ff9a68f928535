"""Says which iteration, split and run folder a person means, and under which name a run stands beside another."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from shared.settings.arguments import nearest
from shared.settings.load import ITERATIONS, RUNS
from shared.task.splits import SPLITS

BESIDE = "@"  # runs/demo1@slow/cv stands beside runs/demo1/cv
NAME = re.compile("[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True)
class Target:
    """A run that a command is about: an iteration's folder name, a split, and the settings said beside it."""

    iteration: str
    split: str = "cv"
    overrides: tuple[str, ...] | None = None  # None: those that the run was started with
    name: str = ""  # of a run that stands beside the iteration's plain one

    @property
    def run(self) -> Path:
        return RUNS / folder_name(self.iteration, self.name) / self.split


def read_target(options: dict[str, str], overrides: tuple[str, ...] | None = None, *, there: bool = False) -> Target:
    """The run of `iter`, `as` and `split` (cv where it is not said). Raises ValueError for one that there is not.

    `iter=demo1@slow` means `iter=demo1 as=slow`. A named run may be new, unless it has to be `there`.
    """
    iteration, _, name = options["iter"].partition(BESIDE)
    said = options.get("as", name)
    if name and said != name:
        raise ValueError(f"iter={options['iter']} and as={said}: say one name")
    if (BESIDE in options["iter"] or "as" in options) and not NAME.fullmatch(said):
        raise ValueError(f"as={said}: a name is made of small letters, digits and dashes, 40 at most, as in as=slow")
    target = Target(iteration_name(iteration), split_name(options.get("split", "cv")), overrides, said)
    if there:
        check_name(target.iteration, said)
    return target


def folder_name(iteration: str, name: str) -> str:
    """The folder in runs/ of an iteration, of its plain run where `name` is empty."""
    return f"{iteration}{BESIDE}{name}" if name else iteration


def plain_path(path: str) -> str:
    """The path that a file of a run would have in the plain run of the same iteration."""
    return re.sub(rf"^({RUNS}/[^/{BESIDE}]+){BESIDE}[^/]+", r"\1", path)


def names_of(iteration: str) -> list[str]:
    """The names under which runs of an iteration stand beside its plain one."""
    return sorted(path.name.partition(BESIDE)[2] for path in RUNS.glob(f"{iteration}{BESIDE}*"))


def check_name(iteration: str, name: str) -> None:
    """Raise ValueError where no run of the iteration has that name; the plain one has none."""
    if name and name not in (known := names_of(iteration)):
        there = f"there are: {', '.join(known)}{nearest_of(name, known)}" if known else "there is none with a name"
        raise ValueError(f"{iteration} has no run as={name}; {there}; `just train iter={iteration} as={name}` makes it")


def iteration_name(text: str) -> str:
    """The folder of training/iterations that `text`, a number or a name, means. ValueError where there is none."""
    name = f"iter{text}" if text.isdecimal() else text
    known = sorted(path.parent.name for path in ITERATIONS.glob("*/params.toml"))
    if name not in known:
        raise ValueError(f"there is no iteration {name!r}; there are: {', '.join(known)}{nearest_of(name, known)}")
    return name


def split_name(text: str) -> str:
    """`text` where it names a split. Raises ValueError where it does not."""
    if text not in SPLITS:
        raise ValueError(f"split={text}: there are {', '.join(SPLITS)}{nearest_of(text, SPLITS)}")
    return text


def run_folder(text: str) -> Path:
    """The run folder that `text` names. Raises ValueError for any other path."""
    path = Path(text)
    if len(path.parts) != 3 or path.parts[0] != "runs":
        raise ValueError(f"{text!r} is no run folder like runs/iter1/cv")
    return path


def nearest_of(text: str, known: Iterable[str]) -> str:
    """The end of a sentence that names the known word nearest to `text`; "" where none is near."""
    near = nearest(text, known)
    return f"; did you mean {near}?" if near else ""
