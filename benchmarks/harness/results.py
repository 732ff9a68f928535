"""What is known of every arm of a stage, the figures that follow from it, and the file that holds both."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from benchmarks.harness.floor import floor_seconds
from benchmarks.inputs.shapes import Shape
from shared.artifacts.files import write_json

OURS = "ours"


@dataclass(frozen=True)
class Ready:
    """A side that is loaded: `warm` does about `share` of a pass, `check` compares it with the reference."""

    run: Callable[[], object]
    warm: Callable[[], object]
    share: float
    check: Callable[[], dict[str, float]]


@dataclass(frozen=True)
class Arm:
    """A way to do the work. `tokens` have to be computed once in a pass of it; `items` is what it is counted in."""

    side: str  # OURS or the peer's name
    setting: str
    build: Callable[[], Ready]
    tokens: int
    items: int
    seed: bool = False  # as the public seed pipeline ran this peer
    alone: bool = False  # too large to stay beside the others: measured at once, then given back


@dataclass
class Result:
    """What an arm has come to so far."""

    arm: Arm
    seconds: list[float] = field(default_factory=list)
    peak_gib: float = 0.0
    checks: dict[str, float] = field(default_factory=dict)
    said: str = ""  # why it was not measured, or not again

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def rate(self) -> float:
        """Items a second, by the median pass."""
        return self.arm.items / self.median


@dataclass(frozen=True)
class Benchmark:
    """What is measured on what, until when (by time.monotonic), and where the results go."""

    name: str
    shape: Shape
    device: torch.device
    train: bool
    deadline: float
    out: Path
    about: dict


def share_of_floor(stage: Benchmark, result: Result, seconds: float) -> float:
    """How much of the time the arithmetic alone would take at the GPU's best rate."""
    return floor_seconds(result.arm.tokens, stage.shape, train=stage.train) / seconds


def compare(results: list[Result], result: Result) -> dict[str, dict[str, float]]:
    """How many times a peer's rate this one has: {peer: {"seed": ..., "best": ...}}, of those that were measured."""
    times: dict[str, dict[str, float]] = {}
    for other in results:
        if other.arm.side != OURS and other.seconds:
            ratio, known = result.rate / other.rate, times.setdefault(other.arm.side, {})
            known["best"] = min(ratio, known.get("best", ratio))
            if other.arm.seed:
                known["seed"] = ratio
    return times


def write(stage: Benchmark, results: list[Result]) -> None:
    """All results so far, whole or not at all."""
    rows = [_row(stage, results, result) for result in results]
    write_json(stage.out, {**stage.about, "stage": stage.name, "train": stage.train, "arms": rows})


def _row(stage: Benchmark, results: list[Result], result: Result) -> dict:
    arm = result.arm
    known = {"side": arm.side, "setting": arm.setting, "seed": arm.seed, "items": arm.items, "tokens": arm.tokens}
    known |= {"seconds": result.seconds, "peak_gib": result.peak_gib, "checks": result.checks, "said": result.said}
    if not result.seconds:
        return known
    share = share_of_floor(stage, result, result.median)
    times = compare(results, result) if arm.side == OURS else {}
    return {**known, "median": result.median, "rate": result.rate, "share_of_floor": share, "times": times}
