"""Stops and kills one of two processes that train together: all end within 30 s, and the repeated command goes on."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.soak.frame import Case
from tests.soak.nursery import ROOT, open_nursery
from tests.soak.small_run import FIRST, hashes, make_steps

STAGE, OUT = "train-embedder", f"runs/{FIRST}/cv/train_embedder"
END_SECONDS = 30.0
STARTED = 120.0  # seconds within which both processes train


@contextmanager
def ranks(folder: Path) -> Iterator[list[Case]]:
    """A case for each signal."""
    with open_nursery(folder) as nursery:
        before = make_steps(nursery, folder / "run", f"{FIRST}_train_embedder")[-1].before
    whole = folder / "whole"
    _restore(before, whole)
    said = _train(whole).communicate()[0]
    assert (whole / OUT).is_dir(), said
    yield [
        Case(f"process {word}", number.name, partial(_check, before, whole, folder / "place", number))
        for word, number in (("stopped", signal.SIGSTOP), ("killed", signal.SIGKILL))
    ]


def _check(before: Path, whole: Path, place: Path, number: signal.Signals, seed: int) -> str | None:
    rng = random.Random(f"{number.name} {seed}")
    _restore(before, place)
    process = _train(place)
    workers = _workers(process, place)
    time.sleep(rng.uniform(0, 0.5))
    began, rank = time.monotonic(), rng.randrange(2)
    os.kill(workers[rank], number)
    try:
        said, _ = process.communicate(timeout=END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return f"{time.monotonic() - began:.0f} s after {number.name} of process {rank} it had not ended"
    if process.returncode == 0 and hashes(place / OUT) == hashes(whole / OUT):
        return None  # it had come to its end before
    if process.returncode == 0 or (number == signal.SIGSTOP and "shows no life since it came to" not in said):
        return f"{number.name} of process {rank}: status {process.returncode}, and it said {said[-500:]}"
    said, _ = _train(place).communicate()
    others = hashes(place / OUT) != hashes(whole / OUT)
    return f"{number.name} of process {rank}: repeated, it made other files: {said[-300:]}" if others else None


def _restore(before: Path, place: Path) -> None:
    """What stood before training, for two processes and more updates than one can do before it is found."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(before, place)
    path = place / f"runs/{FIRST}/cv/settings.json"
    text = path.read_text(encoding="utf-8")
    more = text.replace('"processes": 1', '"processes": 2').replace('"batch": 32', '"batch": 2')
    path.write_text(more, encoding="utf-8")


def _train(place: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "training", STAGE, f"runs/{FIRST}/cv"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=place, env=environment, **pipes)


def _workers(process: subprocess.Popen, place: Path) -> list[int]:
    """Both processes that train, once the first checkpoint stands."""
    checkpoint, deadline = place / f"runs/{FIRST}/cv/.train_embedder.state/checkpoint", time.monotonic() + STARTED
    while not checkpoint.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise ValueError(f"training did not begin: {process.communicate()[0][-1000:]}")
        time.sleep(0.05)
    (torchrun,) = _children(process.pid)
    return sorted(_children(torchrun))


def _children(pid: int) -> list[int]:
    return [int(name) for name in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]
