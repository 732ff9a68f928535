"""Says which iteration, split and run folder a person means."""

from dataclasses import dataclass
from pathlib import Path

from shared.settings.arguments import nearest
from shared.settings.load import ITERATIONS, RUNS
from shared.task.splits import SPLITS


@dataclass(frozen=True)
class Target:
    """A run that a command is about: an iteration's folder name, a split, and the settings said beside it."""

    iteration: str
    split: str = "cv"
    overrides: tuple[str, ...] | None = None  # None: those that the run was started with

    @property
    def run(self) -> Path:
        return RUNS / self.iteration / self.split


def read_target(options: dict[str, str], overrides: tuple[str, ...] | None = None) -> Target:
    """The run of `iter` and `split` (cv where it is not said). Raises ValueError for one that there is not."""
    return Target(iteration_name(options["iter"]), split_name(options.get("split", "cv")), overrides)


def iteration_name(text: str) -> str:
    """The folder of training/iterations that `text`, a number or a name, means. ValueError where there is none."""
    name = f"iter{text}" if text.isdecimal() else text
    known = sorted(path.parent.name for path in ITERATIONS.glob("*/params.toml"))
    if name not in known:
        raise ValueError(f"there is no iteration {name!r}; there are: {', '.join(known)}{_hint(name, known)}")
    return name


def split_name(text: str) -> str:
    """`text` where it names a split. Raises ValueError where it does not."""
    if text not in SPLITS:
        raise ValueError(f"split={text}: there are {', '.join(SPLITS)}{_hint(text, SPLITS)}")
    return text


def run_folder(text: str) -> Path:
    """The run folder that `text` names. Raises ValueError for any other path."""
    path = Path(text)
    if len(path.parts) != 3 or path.parts[0] != "runs":
        raise ValueError(f"{text!r} is no run folder like runs/iter1/cv")
    return path


def _hint(text: str, known: list[str] | tuple[str, ...]) -> str:
    near = nearest(text, known)
    return f"; did you mean {near}?" if near else ""
