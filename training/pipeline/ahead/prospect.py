"""Says of each stage that would run on what, with what and how long, and what is missing for it."""

import itertools
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from shared.counted import count
from shared.settings.sections import Settings
from shared.task.current import TASK
from training.pipeline.ahead.bases import Base, bases_of
from training.pipeline.ahead.hours import Estimate, estimate
from training.pipeline.ahead.machine import hardware, memory_there, processes_there, refuse_machine
from training.pipeline.ahead.survey import Step
from training.pipeline.ahead.tokens import fitting_tokens, merges_on_cpu

BASE_KEY = re.compile(r"(embedder|reranker|miner|writer)\.base=(.*)")


@dataclass(frozen=True)
class Prospect:
    """What is known of a stage before it runs; `missing` says why it cannot work here, "" where it can."""

    step: Step
    bases: list[Base]
    estimate: Estimate
    missing: str
    tokens: str = ""  # how many a training computes at once where its base lies in 4 bits; "" where nobody knows

    @property
    def needed(self) -> float:
        """GiB that each process holds of weights alone; 0.0 where nobody knows."""
        return max((base.gib for base in self.bases), default=0.0)

    @property
    def disk(self) -> float:
        """GiB that the output takes, of a merged model, and the base where it is fetched."""
        merged = (
            max((base.whole_gib for base in self.bases), default=0.0)
            if self.step.stage.name.startswith("merge_")
            else 0.0
        )
        return merged + sum(base.gib for base in self.bases if base.state == "fetched")


def prospects(steps: list[Step]) -> list[Prospect]:
    """Of every step that runs."""
    settings = {step.run: step.settings for step in steps}
    before = {run: settings.get(run.parents[1] / its.iteration.previous / run.name) for run, its in settings.items()}
    return [_prospect(step, before[step.run]) for step in steps if step.runs]


def refuse_impossible(steps: list[Step]) -> None:
    """Raise ValueError, before anything runs, for the first thing that a stage needs and that is not there."""
    for found in prospects(steps):
        if found.missing:
            raise ValueError(found.missing)


def describe(found: Prospect) -> str:
    """`with models/minilm (here), on cpu in 2 processes, 0.1 GiB of weights for each (10.2 GiB are there), ...`"""
    step, machine = found.step, found.step.settings.machine
    parts = [f"with {base.name} ({base.state})" for base in found.bases]
    if step.stage.name == "prepare":
        parts.append(f"reads {step.settings.prepare.competition}")
    if step.stage.has_model:
        count = processes_there(machine) if step.stage.shared(step.settings) else 1
        parts.append(f"on {machine.device} in {count} process{'es' * (count > 1)}")
        need = f"{found.needed:.1f} GiB of weights in each" if found.needed else "weights of unknown size"
        parts.append(f"{need}, {memory_there(machine):.1f} GiB there")
        parts += [found.tokens] if found.tokens else []
    if found.disk >= 0.05:
        parts.append(f"{found.disk:.1f} GiB of disk")
    seconds = found.estimate.seconds
    if seconds is not None:
        parts.append(f"about {duration(seconds)}, {found.estimate.source}")
    elif step.stage.has_model:
        parts.append("nothing like it was timed here yet")
    return ", ".join(parts)


def summary(found: list[Prospect]) -> list[str]:
    """What all of it takes together."""
    disk = sum(one.disk for one in found)
    room = f"models take {disk:.1f} GiB of disk, and {hardware().disk_gib:.1f} GiB are free"
    return [f"{count(len(found), 'stage')} {'runs' if len(found) == 1 else 'run'}: {_time(found)}; {room}"]


def _time(found: list[Prospect]) -> str:
    heavy = [one for one in found if one.step.stage.has_model]
    known = [one.estimate.seconds for one in found if one.estimate.seconds is not None]
    unknown = sum(one.estimate.seconds is None for one in heavy)
    if not known:
        return f"nothing like {'it' if len(found) == 1 else 'them'} was timed here yet"
    rest = (
        f" and {count(unknown, 'stage')} that {'was' if unknown == 1 else 'were'} not timed here yet" if unknown else ""
    )
    return f"about {duration(sum(known))}{rest}"


def notes(steps: list[Step], said: tuple[str, ...]) -> list[str]:
    """What a person may not expect: a base that is said of the last iteration leaves those before it as they are."""
    settings = {step.run: step.settings for step in steps}
    *earlier, last = settings
    found = []
    for override, run in itertools.product(said, earlier):
        match = BASE_KEY.fullmatch(override)
        section = match and getattr(settings[run], match[1])
        if section is not None and section.base != match[2].strip('"'):
            found.append(
                f"{match[1]}.base is said of {last.parent.name} alone: {run.parent.name} keeps {section.base}; "
                f"train it with iter={run.parent.name} {override} first to change it there, too"
            )
    return found


def time_left(steps: list[Step]) -> str:
    """`, about 12 min left` of these steps, `at least` where some were never timed; "" where nothing is known."""
    found = [one for one in prospects(steps) if one.step.stage.has_model]
    known = [one.estimate.seconds for one in found if one.estimate.seconds is not None]
    if not known:
        return ""
    return f", {'about' if len(known) == len(found) else 'at least'} {duration(sum(known))} left"


def duration(seconds: float) -> str:
    """`3.5 h`, `12 min`, `9 s`"""
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def _prospect(step: Step, previous: Settings | None) -> Prospect:
    name, bases, missing, tokens = step.stage.name, [], "", ""
    try:
        bases = bases_of(name, step.settings, previous)
        refuse_machine(step.stage, step.settings)
        missing = _too_small(step, bases)
        tokens = fitting_tokens(name, step.settings)
    except ValueError as error:
        missing = str(error)
    pairs = _pairs(Path(step.settings.prepare.competition))
    return Prospect(step, bases, estimate(name, step.run, step.settings, bases, pairs), missing, tokens)


def _too_small(step: Step, bases: list[Base]) -> str:
    """Why the weights of a base find no room, "" where they do."""
    machine, there = step.settings.machine, memory_there(step.settings.machine)
    if merges_on_cpu(step.stage.name, step.settings):
        machine, there = machine.model_copy(update={"device": "cpu"}), hardware().gib
    for base in bases if step.stage.has_model and not machine.shard else ():
        if base.gib > there:
            where = "each GPU" if machine.device == "cuda" else f"each of {processes_there(machine)} processes"
            return (
                f"{step.out}: the weights of {base.name} take {base.gib:.1f} GiB, and {where} has {there:.1f}: take a "
                "smaller base or another machine"
            )
    free = hardware().disk_gib
    fetched = sum(base.gib for base in bases if base.state == "fetched")
    if fetched > free:
        return f"{step.out}: its base takes {fetched:.1f} GiB of disk, and {free:.1f} are free: make room"
    return ""


@cache
def _pairs(competition: Path) -> int:
    """Labelled pairs of the data; 0 where it cannot be read, which prepare then says."""
    try:
        train = TASK.read(competition).train
    except ValueError:
        return 0
    return 0 if train is None else train["misconception_id"].drop_nulls().len()
