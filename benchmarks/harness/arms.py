"""Measures several ways of doing one piece of work in turns, so that a machine that warms up or throttles hurts all.

Every result is written as soon as it is there: a run that is cut off keeps what it has. A side that fails is reported
and costs the others nothing.
"""

import gc
import math
import time
import traceback
from collections.abc import Callable

import torch

from benchmarks.harness.results import OURS, Arm, Benchmark, Ready, Result, share_of_floor, write
from benchmarks.harness.timing import timed

MOST_ROUNDS = 5
ALONE_ROUNDS = 3  # An arm that cannot stay beside the others gets all of its rounds at once.


def measure(stage: Benchmark, arms: list[Arm]) -> list[Result]:
    """Pass after pass in turns, ours first in every round, while the stage has time."""
    results, ready = [Result(arm) for arm in arms], []
    for result in results:
        ready.append(_guarded(stage, results, result, lambda r=result: _start(stage, r, _reserve(results))))
    for _ in range(MOST_ROUNDS - 1):
        for side, result in zip(ready, results, strict=True):
            if side and not result.said and min(result.seconds) < _left(stage):
                _guarded(stage, results, result, lambda r=result, s=side: _pass(stage, s, r))
    return results


def free(device: torch.device) -> None:
    """Give back what nothing refers to any more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _start(stage: Benchmark, result: Result, reserve: float) -> Ready | None:
    """Build, check, warm up and measure once; None where there is no time for it, or it cannot stay."""
    if _left(stage) <= reserve:
        result.said = "no time left"
        return None
    side = result.arm.build()
    result.checks = side.check()
    if not all(map(math.isfinite, result.checks.values())):
        raise ValueError(f"its numbers are not finite: {result.checks}")
    side.warm()
    guess = timed(side.warm, stage.device).seconds / side.share
    if guess + reserve > _left(stage):
        result.said = f"a pass takes about {guess:.0f} s, {_left(stage):.0f} s were left"
        return None
    for _ in range(ALONE_ROUNDS if result.arm.alone else 1):
        _pass(stage, side, result)
    return None if result.arm.alone else side


def _pass(stage: Benchmark, side: Ready, result: Result) -> None:
    once = timed(side.run, stage.device)
    result.seconds.append(once.seconds)
    result.peak_gib = max(result.peak_gib, once.peak_gib)
    arm, share = result.arm, share_of_floor(stage, result, once.seconds)
    checks = " ".join(f"{name}={value:.4g}" for name, value in result.checks.items())
    print(
        f"{stage.name:15s} {arm.side:21s} {arm.setting:40s} {once.seconds:8.3f} s {arm.items / once.seconds:9.2f}/s "
        f"{share:6.1%} of floor {result.peak_gib:5.1f} GiB {checks}",
        flush=True,
    )


def _guarded(stage: Benchmark, results: list[Result], result: Result, work: Callable[[], Ready | None]) -> Ready | None:
    """A peer may run out of memory or not fit a library's version: that is its result, and the others go on."""
    try:
        return work()
    except Exception as error:
        result.said = f"{type(error).__name__}: {str(error)[:300]}"
        traceback.print_exc(limit=-5)
        return None
    finally:
        if result.said:
            print(f"{stage.name:15s} {result.arm.side:21s} {result.arm.setting:40s} {result.said}", flush=True)
        if result.said or result.arm.alone:
            free(stage.device)
        write(stage, results)


def _reserve(results: list[Result]) -> float:
    """Seconds for a second pass of ours behind the peers' first."""
    return sum(min(result.seconds) for result in results if result.arm.side == OURS and result.seconds)


def _left(stage: Benchmark) -> float:
    return stage.deadline - time.monotonic()
