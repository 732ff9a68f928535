"""Owns the deadline: runs predict in a process of its own and ends it before the limit, whatever it hangs in.

A stall inside an engine, an out-of-memory kill or a crash of CUDA cannot be handled by the process that suffers it.
The best submission so far is on disk all the time, so that ending the process loses a shard at most.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from inference.predict.anytime import say_loudly
from inference.predict.chunk_store import lock_file, work_folder
from shared.artifacts.files import write_log

DEGRADED = 3  # exit status: submission.csv is valid, and something failed on the way to it
ROOT = Path(__file__).parents[2]


def run_guarded(arguments: list[str], out: Path, limit: float, margin: float, started: float) -> int:
    """`python -m inference ARGUMENTS --deadline ...` within `limit` seconds of `started` (time.monotonic()).

    The process plans to end `margin` seconds before the limit; half a margin before it, it is killed. Returns 0 where a
    submission stands in `out`: finished, or as good as there was time for; 3 where something failed or hung and a valid
    one stands there all the same; and what the process returned where it wrote none.
    """
    before = _stamp(out)
    end = started + limit
    command = [sys.executable, "-m", "inference", *arguments, "--deadline", str(end - margin)]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    if sys.dont_write_bytecode:  # mounted code stays what its manifest says
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
    process = subprocess.Popen(
        command, start_new_session=True, env=environment, stdout=subprocess.PIPE, text=True, errors="replace"
    )
    relay = threading.Thread(target=_relay, args=(process.stdout,), daemon=True)
    relay.start()
    try:
        code = process.wait(timeout=max(0.0, end - margin / 2 - time.monotonic()))
    except subprocess.TimeoutExpired:
        code = None
    finally:
        _end(process)
        relay.join(timeout=5)
        if code is None or code < 0:  # a killed process leaves these
            shutil.rmtree(work_folder(out), ignore_errors=True)
            with suppress(OSError):
                lock_file(out).unlink(missing_ok=True)
    how = "was killed at the limit" if code is None else f"ended with status {code}"
    written = _stamp(out) != before
    if written and code not in (0, DEGRADED):
        log = out.with_name("budget.json")
        write_log(log, {**_read_log(log), "process": how})
    return _judge(code, how, written, out)


def _read_log(path: Path) -> dict:
    """What the process wrote of how far it came; {} where the disk let it write nothing whole."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _relay(lines: TextIO) -> None:
    """Print what the process prints: in a notebook its own output would bypass the cell."""
    for line in lines:
        with suppress(OSError):  # it is read on, even if nobody wants it: else the process would wait for ever
            print(line, end="", flush=True)


def _end(process: subprocess.Popen) -> None:
    """Kill what is left of the process and of those that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=20)  # a process that waits for a broken driver cannot even be killed


def _judge(code: int | None, how: str, written: bool, out: Path) -> int:
    if code in (0, DEGRADED):
        return code
    if written:
        say_loudly(f"predict {how}: {out} is the best result until then")
        return DEGRADED
    if code != 2:  # which has said what a person got wrong
        say_loudly(f"predict {how} before there was a submission: {out} was not written")
    return code if code == 2 else 1


def _stamp(path: Path) -> tuple[int, int] | None:
    return (path.stat().st_ino, path.stat().st_mtime_ns) if path.exists() else None
