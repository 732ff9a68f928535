"""Runs commands in processes that are forked from one that has imported everything: a fifth of a second each.

python -m tests.soak.nursery, with the shim in LD_PRELOAD: reads an Errand as a line of JSON, does it, answers with a
line. Of the libraries nothing but the import happens before the fork, so that a command finds them as a new process
would.
"""

import ctypes
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHIM = Path(__file__).with_name("shim.c")
MODULES = ("torch", "transformers", "peft", "polars", "safetensors.torch", "faiss", "scipy.special", "training.cli")
WATCH, KILL_BEFORE, KILL_HALFWAY, REFUSE = range(4)  # as in shim.c
SECONDS = 120  # that a command may take


@dataclass(frozen=True)
class Errand:
    """A command line in a folder: `python -m WORDS`; at its step number `at` under that folder, `how` happens."""

    words: tuple[str, ...]
    folder: str
    at: int = 0
    how: int = WATCH
    refusal: int = 0  # the error's number
    kinds: int = 0  # the kinds of steps that are refused, as in shim.c


@dataclass(frozen=True)
class Ended:
    """How a command ended: its status, minus the signal's number where one did; what it said; its steps."""

    status: int
    out: str
    err: str
    steps: tuple[tuple[int, int, str], ...]  # (kind, inode, path)


class Nursery:
    """The other side of the process that forks."""

    def __init__(self, process: subprocess.Popen):
        self.process = process

    def run(self, errand: Errand) -> Ended:
        self.process.stdin.write(json.dumps(asdict(errand)) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return Ended(**{**answer, "steps": tuple(map(tuple, answer["steps"]))})


@contextmanager
def open_nursery(folder: Path) -> Iterator[Nursery]:
    """A nursery; `folder` gets the compiled shim. Raises CalledProcessError where there is no C compiler."""
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / "shim.so"
    subprocess.run(["cc", "-O1", "-fPIC", "-shared", "-o", library, SHIM, "-ldl"], check=True)
    environment = {**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": str(ROOT)}
    environment |= {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    command = [sys.executable, "-m", "tests.soak.nursery"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) as process:
        yield Nursery(process)
        process.stdin.close()


def main() -> None:
    """Do errand after errand until nobody asks any more."""
    for name in MODULES:
        importlib.import_module(name)
    for line in sys.stdin:
        given = json.loads(line)
        print(json.dumps(_do(Errand(**{**given, "words": tuple(given["words"])}))), flush=True)


def _do(errand: Errand) -> dict:
    notes = {name: os.memfd_create(name) for name in ("out", "err", "trace")}
    child = os.fork()
    if not child:
        _be(errand, notes)
    status = _wait(child)
    said = {}
    for name, descriptor in notes.items():
        with open(descriptor, "rb") as file:
            file.seek(0)
            said[name] = file.read().decode(errors="replace")
    steps = [line.split(" ", 3) for line in said.pop("trace").splitlines()]
    return {**said, "status": status, "steps": [(int(kind), int(inode), path) for _, kind, inode, path in steps]}


def _wait(child: int) -> int:
    deadline = time.monotonic() + SECONDS
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGABRT)
        time.sleep(0.005)


def _be(errand: Errand, notes: dict[str, int]) -> None:
    """Become the command."""
    status = 1
    try:
        os.setsid()
        os.dup2(notes["out"], 1)
        os.dup2(notes["err"], 2)
        os.chdir(errand.folder)
        program = importlib.import_module(f"{errand.words[0]}.cli")
        arm = ctypes.CDLL(None).soak_arm
        arm.argtypes = [ctypes.c_char_p, ctypes.c_long, *[ctypes.c_int] * 4]
        arm(errand.folder.encode(), errand.at, errand.how, errand.refusal, errand.kinds, notes["trace"])
        status = program.main(list(errand.words[1:]))
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
