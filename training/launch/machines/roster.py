"""Joins the commands of several machines through one TCPStore, which the first of them serves at machine.rendezvous.

The command whose machine has the rendezvous' address and that comes first leads: it brings the run up to date. The
others follow: they take part in the stages that several processes share. Nothing but words travels through the store;
the data lie in the folder that all machines share.
"""

import json
import os
import queue
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from shared.settings.sections import Machine

POLL_SECONDS = 0.3
BEAT_SECONDS = 1.0  # between two signs of life of a machine
SILENCE_SECONDS = 15.0  # after which a machine counts as lost
JOIN_SECONDS = 900.0  # that the machines may begin one after the other, as jobs of a queue do
NOTE = ".machines"  # in the run folder: what shows that a machine sees the same one


class Roster:
    """This command's line to the store, whether it `leads`, and its machine's `number`: 0 for the one that leads."""

    def __init__(self, store, machine: Machine, leads: bool = False):
        self.store, self.address, self.nodes, self.leads = store, machine.rendezvous, machine.nodes, leads
        self.number = 0
        self._left = threading.Event()

    def get(self, key: str) -> str | None:
        """What stands under `key`, None where nothing does. Raises ValueError where nobody answers any more."""
        return self._ask(lambda: self.store.get(key).decode() if self.store.check([key]) else None)

    def set(self, key: str, value: str) -> None:
        """Write `value` under `key`. Raises ValueError where nobody answers any more."""
        self._ask(lambda: self.store.set(key, value))

    def add(self, key: str, count: int) -> int:
        """Add to the number under `key`, 0 at first; returns it. Raises ValueError where nobody answers any more."""
        return self._ask(lambda: self.store.add(key, count))

    def name(self, number: int) -> str:
        """`machine 1 (HOST)`"""
        said = self.get(f"hello/{number}")
        return f"machine {number}" + (f" ({json.loads(said)['host']})" if said else "")

    def beat(self) -> None:
        """Say from now on, once a second, that this machine lives; until `leave`."""
        threading.Thread(target=self._beat, daemon=True).start()

    def leave(self) -> None:
        """Say no more."""
        self._left.set()

    def _beat(self) -> None:
        with suppress(ValueError):  # the other thread notices, too
            while not self._left.wait(BEAT_SECONDS):
                self.add(f"beat/{self.number}", 1)

    def _ask(self, work: Callable):
        """What `work` answers; in a thread, since a machine without power leaves a question open for ever."""
        answer: queue.SimpleQueue = queue.SimpleQueue()
        threading.Thread(target=_answer, args=(work, answer), daemon=True).start()
        try:
            value = answer.get(timeout=SILENCE_SECONDS)
        except queue.Empty:
            value = TimeoutError()
        if isinstance(value, Exception):
            raise ValueError(
                f"the machine that leads does not answer at {self.address} any more: repeat the command on every "
                "machine to go on"
            ) from None
        return value


class Lives:
    """Judges by their beats whether the other machines live."""

    def __init__(self, roster: Roster, numbers: range):
        self.roster, self.seen = roster, dict.fromkeys(numbers, (-1, time.monotonic()))

    def lost(self) -> str:
        """Which machine shows no life any more, in words; "" where all do."""
        for number, (count, since) in self.seen.items():
            if (now := self.roster.add(f"beat/{number}", 0)) != count:
                self.seen[number] = (now, time.monotonic())
            elif time.monotonic() - since > SILENCE_SECONDS:
                return f"{self.roster.name(number)} shows no life any more"
        return ""


def open_roster(machine: Machine) -> Roster:
    """Serve the store where nobody does yet and its address is this machine's; else find who serves it.

    Raises ValueError for an address that names no machine, and where nobody came to serve it in time.
    """
    if not machine.rendezvous:
        raise ValueError(f"nodes={machine.nodes}: say where the machines meet, the same on each: rendezvous=HOST:PORT")
    host = machine.rendezvous.rpartition(":")[0]
    try:
        here = _is_here(host)
    except socket.gaierror:
        raise ValueError(f"rendezvous={machine.rendezvous}: no machine is called {host}") from None
    store = _store(machine.rendezvous, serve=True) if here else None
    return Roster(store, machine, leads=True) if store else connect(machine, wait_seconds=JOIN_SECONDS)


def connect(machine: Machine, wait_seconds: float = SILENCE_SECONDS) -> Roster:
    """A line to the store that another process serves. Raises ValueError where none comes in time."""
    deadline = time.monotonic() + wait_seconds
    while (store := _store(machine.rendezvous, serve=False)) is None:
        if time.monotonic() > deadline:
            raise ValueError(
                f"nobody leads at {machine.rendezvous}: start the same command on the machine that has this address, "
                "and let the others reach that port"
            )
        time.sleep(POLL_SECONDS)
    return Roster(store, machine)


def read_note(run: Path) -> str:
    """What stands in the run folder as this machine sees it; "" where nothing does."""
    with suppress(OSError):
        return (run / NOTE).read_text(encoding="utf-8")
    return ""


def hello(lacks: str) -> str:
    """What a machine says of itself when it joins: its name, its code, its torch, and what it lacks."""
    import torch

    from training.run_folder.code_version import code_version

    code = code_version()["code"]
    return json.dumps(
        {"host": socket.gethostname(), "pid": os.getpid(), "code": code, "torch": torch.__version__} | {"lacks": lacks}
    )


def _store(address: str, *, serve: bool):
    """A TCPStore; None where it cannot be served, or nobody serves it."""
    from torch.distributed import TCPStore

    host, _, port = address.rpartition(":")
    if not serve and not _answers(host, int(port)):
        return None
    with suppress(RuntimeError, ValueError):
        return TCPStore(
            host, int(port), is_master=serve, timeout=timedelta(seconds=SILENCE_SECONDS), wait_for_workers=False
        )
    return None


def _answers(host: str, port: int) -> bool:
    """Whether somebody listens there: the store itself would write pages of warnings while nobody does."""
    with suppress(OSError), socket.create_connection((host, port), timeout=2):
        return True
    return False


def _is_here(host: str) -> bool:
    """Whether `host` is an address of this machine."""
    family, _, _, _, place = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
    with suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.bind(place)
        return True
    return False


def _answer(work: Callable, answer: queue.SimpleQueue) -> None:
    try:
        answer.put(work())
    except Exception as error:
        answer.put(error)
