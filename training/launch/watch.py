"""Listens to the signs of life of torchrun's processes, and ends all of them when one falls silent or none goes on."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

POLL_SECONDS = 0.5
OTHERS_SECONDS = 1.0  # between two questions about the other machines
ASLEEP_SECONDS = 5.0  # A longer pause between two looks was one of the whole machine, or of a person's Ctrl-Z.
END_SECONDS = 15.0  # that torchrun gets to notice that its processes are gone


@dataclass
class Life:
    """What is known of one process: when it was last heard of, and when it last came a step further."""

    pid: int
    heard: float
    count: int = -1
    moved: float = 0.0
    step: str = ""


@dataclass
class Watch:
    """Judges by the signs of life; `silence` and `stall` are the seconds that a process may be silent, and stand."""

    silence: float
    stall: float
    began: float
    lives: dict[int, Life] = field(default_factory=dict)

    def hear(self, message: dict, now: float) -> None:
        rank = message["rank"]
        if message["ended"]:
            self.lives.pop(rank, None)
            return
        life = self.lives.setdefault(rank, Life(message["pid"], now))
        life.heard, life.step = now, message["step"]
        if message["count"] != life.count:
            life.count, life.moved = message["count"], now

    def sleep(self, seconds: float) -> None:
        """Forgive what nobody could have said while this process slept, too."""
        self.began += seconds
        for life in self.lives.values():
            life.heard += seconds
            life.moved += seconds

    def judge(self, now: float) -> str:
        """What is wrong, "" as long as nothing is."""
        for rank, life in sorted(self.lives.items()):
            if now - life.heard > self.silence:
                return f"process {rank} (pid {life.pid}) shows no life since it came to {life.step}"
        last = max([self.began, *(life.moved for life in self.lives.values())])
        if now - last <= self.stall:
            return ""
        places = "; ".join(f"process {rank} came to {life.step}" for rank, life in sorted(self.lives.items()))
        return f"no process came any further for {self.stall:.0f} s: {places or 'none has begun'}"


@contextmanager
def listening() -> Iterator[tuple[socket.socket, str]]:
    """A socket for signs of life, and its address."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        address = str(Path(folder, "life"))
        ear.bind(address)
        ear.settimeout(POLL_SECONDS)
        yield ear, address


def wait_watching(
    torchrun: subprocess.Popen, ear: socket.socket, silence: float, stall: float, others: Callable[[], str] = str
) -> int:
    """torchrun's exit status. Raises ValueError, when all processes are ended, where one was silent or all stood.

    So it does where `others` says that something is wrong with another machine.
    """
    watch, looked = Watch(silence, stall, time.monotonic()), time.monotonic()
    asked = looked
    while torchrun.poll() is None:
        with suppress(TimeoutError):
            watch.hear(json.loads(ear.recv(1 << 16)), time.monotonic())
        now = time.monotonic()
        if now - looked > ASLEEP_SECONDS:
            watch.sleep(now - looked)
        looked = now
        wrong = watch.judge(now)
        if not wrong and now - asked > OTHERS_SECONDS:
            asked, wrong = now, _said_by(others)
        if wrong:
            _end(torchrun, [life.pid for life in watch.lives.values()])
            raise ValueError(f"{wrong}; all of them were ended: repeat the command to go on")
    return torchrun.returncode


def _said_by(others: Callable[[], str]) -> str:
    try:
        return others()
    except ValueError as error:  # nobody answers any more
        return str(error).partition(": repeat the command")[0]


def _end(torchrun: subprocess.Popen, pids: list[int]) -> None:
    """Kill the processes themselves: torchrun would wait half a minute for a stopped one to end by itself."""
    for pid in pids:
        if _parent(pid) == torchrun.pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    try:
        torchrun.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        torchrun.kill()


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    except OSError:
        return 0
