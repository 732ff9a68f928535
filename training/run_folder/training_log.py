"""Keeps the log of a training beside its stage's output: when it ran, on what, how fast, and its loss within epochs.

The log lies outside the output, so that no manifest lists it: the same training on another machine, or on another day,
has the same digest. A line is a JSON object; the first says what began, each other one what some updates did.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.artifacts.files import costing_no_result, write_text
from shared.artifacts.lineage import Lineage

SUFFIX = ".log.jsonl"
LINES_OF_EPOCH = 50  # at most, and a last one: as many points of its loss are drawn


class Began(BaseModel):
    """An attempt at a training: a killed one has several in its log."""

    model_config = ConfigDict(frozen=True)

    at: str  # UTC, as 2026-11-26T21:15:00+00:00
    fingerprint: str
    hardware: str  # "1 x NVIDIA H100 80GB HBM3", "2 threads of AMD EPYC 7B13"
    processes: int


class Updated(BaseModel):
    """What the updates since the line before came to."""

    model_config = ConfigDict(frozen=True)

    at: str
    epoch: int  # from 1 on
    update: int  # the last of them, from 1 on in its epoch
    updates: int  # of the whole epoch
    loss: float  # their mean
    tokens: int  # that were computed for them, by all processes; what gradient checkpointing repeats counts once
    seconds: float  # of the updates alone, without evaluation and checkpoints
    peak_bytes: int  # of the first process so far: a GPU's allocated memory, or what a process on a CPU held


class TrainingLog:
    """Writes the log of one training, in its first process."""

    def __init__(self, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)):
        self.path, self._now = path, now

    def begin(self, fingerprint: str, hardware: str, processes: int, done: tuple[int, int]) -> None:
        """Note an attempt that goes on behind `done`, (epoch, updates of it); what was noted beyond that is dropped.

        A log of another fingerprint is replaced.
        """
        lines = read_log(self.path, fingerprint)
        kept = [line for line in lines if isinstance(line, Began) or (line.epoch, line.update) <= done]
        if done == (1, 0):
            kept = []
        began = Began(at=self._at(), fingerprint=fingerprint, hardware=hardware, processes=processes)
        text = "".join(f"{line.model_dump_json()}\n" for line in [*kept, began])
        with costing_no_result():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_text(self.path, text)

    def add(self, **values) -> None:
        """Note updates: the fields of Updated but `at`."""
        with costing_no_result(), self.path.open("a", encoding="utf-8") as file:
            file.write(f"{Updated(at=self._at(), **values).model_dump_json()}\n")

    def _at(self) -> str:
        return self._now().isoformat(timespec="seconds")


def log_of(work: Path) -> Path:
    """Where the log of the training in the folder `work` lies: train_embedder.log.jsonl beside train_embedder.

    A stage that trains several models has one for each.
    """
    if work.parent.suffix == ".partial":
        return work.parent.with_name(f"{_stage(work.parent)}.{work.name}{SUFFIX}")
    return work.with_name(f"{_stage(work)}{SUFFIX}")


def logs_of(run: Path, stage: str) -> list[Path]:
    """The logs of a stage that are there."""
    return sorted([*run.glob(f"{stage}{SUFFIX}"), *run.glob(f"{stage}.*{SUFFIX}")])


def read_log(path: Path, fingerprint: str) -> list[Began | Updated]:
    """The lines of a log of this fingerprint; [] where there is none. A line that a kill cut off is left out."""
    if not path.is_file():
        return []
    found = [_line(text) for text in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    lines = [line for line in found if line is not None]
    return lines if any(isinstance(line, Began) and line.fingerprint == fingerprint for line in lines) else []


def log_of_output(out: Path, made: Lineage) -> list[Began | Updated]:
    """The log of the training that made the output `out`, or the one that `out` is linked to; [] where none is kept."""
    folders = [out] if made.shared_with is None else [out, Path(made.shared_with)]
    return next((lines for folder in folders if (lines := read_log(log_of(folder), made.fingerprint or ""))), [])


def _stage(folder: Path) -> str:
    """`train_embedder` of `.train_embedder.partial`, and of `train_embedder`."""
    return folder.name.removesuffix(".partial").removeprefix(".")


def _line(text: str) -> Began | Updated | None:
    try:
        values = json.loads(text)
        return Updated.model_validate(values) if "update" in values else Began.model_validate(values)
    except (ValueError, TypeError, ValidationError):
        return None
