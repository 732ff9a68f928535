"""Sends a training's figures to the tracker that machine.tracker names; without one, nothing is imported or sent.

What this code sends are figures, and the numbers and switches among the settings of the stage: no text and no path.
trackio speaks wandb's language and keeps what it gets on this machine; wandb and mlflow send it where their own
configuration says, with what that configuration adds.
"""

import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from shared.settings.sections import Machine

PROJECT = "malrule"
Log = Callable[[dict[str, float], int], None]


@dataclass
class _Open:
    """What the figures of this process go to; None where nobody wants them."""

    log: Log | None = None


_open = _Open()


def check_tracker(machine: Machine) -> None:
    """Raise ValueError where the tracker that is asked for is not installed."""
    name = machine.tracker
    if name != "off" and importlib.util.find_spec(name) is None:
        raise ValueError(f"machine.tracker is {name}, which is not installed: uv pip install {name}, or say off")


@contextmanager
def tracking(machine: Machine, name: str, settings: Mapping) -> Iterator[None]:
    """Inside, what is told goes to the tracker as the run `name`, such as iter1/cv/train_reranker.

    A tracker that fails is said once, and the work goes on without it.
    """
    if machine.tracker == "off":
        yield
        return
    log, end = _trying(lambda: OPENERS[machine.tracker](name, numbers_of(settings))) or (None, lambda: None)
    _open.log = log
    try:
        yield
    finally:
        _open.log = None
        _trying(end)


def tell(figures: Mapping, step: int) -> None:
    """Send the numbers in `figures`, nested ones under keys such as all/map@25, as those after `step` updates."""
    if _open.log is not None and _trying(lambda: (_open.log(numbers_of(figures), step), True)) is None:
        _open.log = None


def numbers_of(values: Mapping, before: str = "") -> dict[str, float]:
    """The numbers and switches among `values`, however deep, each under the path of its keys; nothing else."""
    found = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= numbers_of(value, f"{before}{key}/")
        elif isinstance(value, (bool, int, float)):
            found[f"{before}{key}"] = value
    return found


def _open_wandb(module: str) -> Callable[[str, dict], tuple[Log, Callable[[], None]]]:
    def start(name: str, settings: dict) -> tuple[Log, Callable[[], None]]:
        library = importlib.import_module(module)
        library.init(project=PROJECT, name=name, config=settings)
        return lambda figures, step: library.log(figures, step=step), library.finish

    return start


def _open_mlflow(name: str, settings: dict) -> tuple[Log, Callable[[], None]]:
    library = importlib.import_module("mlflow")
    library.set_experiment(PROJECT)
    library.start_run(run_name=name)
    library.log_params(settings)

    def log(figures: dict[str, float], step: int) -> None:
        # its keys know no @
        library.log_metrics({key.replace("@", "_at_"): float(value) for key, value in figures.items()}, step=step)

    return log, library.end_run


OPENERS = {"trackio": _open_wandb("trackio"), "wandb": _open_wandb("wandb"), "mlflow": _open_mlflow}


def _trying(work: Callable):
    """What `work` returns; None where it raises, which is said."""
    try:
        return work()
    except Exception as error:  # of whatever library: figures must not cost the training
        reason = next(iter(str(error).strip().splitlines()), "")[:200]
        print(f"the tracker fails ({type(error).__name__}: {reason}): its figures are left out", file=sys.stderr)
        return None
