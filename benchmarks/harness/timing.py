"""Measures one pass over a fixed piece of work: seconds by the device's own clock, and the memory that it took."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Timed:
    seconds: float
    peak_gib: float  # of this process on the GPU, weights included; 0 on a CPU
    value: object  # what the pass returned


def timed(run: Callable[[], object], device: torch.device) -> Timed:
    """Run once. The work before is finished first, so that it is not counted."""
    if device.type != "cuda":
        start = time.perf_counter()
        value = run()
        return Timed(time.perf_counter() - start, 0.0, value)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    value = run()
    end.record()
    torch.cuda.synchronize()
    return Timed(start.elapsed_time(end) / 1000, torch.cuda.max_memory_allocated() / 2**30, value)
