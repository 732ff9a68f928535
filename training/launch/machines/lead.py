"""Leads the machines that train together: waits for them, offers them what is shared, and hears how it ends."""

import json
import secrets
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from shared.artifacts.files import write_text
from shared.settings.sections import Machine
from training.launch.machines.roster import JOIN_SECONDS, NOTE, POLL_SECONDS, SILENCE_SECONDS, Lives, Roster, connect
from training.launch.machines.roster import hello as own_hello

LEAVE_SECONDS = 5.0  # that the others get to read how it ended


@contextmanager
def leading(roster: Roster, run: Path) -> Iterator[list[int]]:
    """Wait for the other machines; they are let go at the end with the status that the block put into the list.

    Raises ValueError where one does not come, does not see `run`, or has other code.
    """
    ended: list[int] = []
    token = secrets.token_hex(8)
    run.mkdir(parents=True, exist_ok=True)
    write_text(run / NOTE, token)
    roster.set("hello/0", own_hello(""))
    roster.set("run", json.dumps([str(run), token]))
    try:
        _gather(roster)
        yield ended
    finally:
        roster.set("end", str(ended[-1] if ended else 2))
        _let_go(roster)
        (run / NOTE).unlink(missing_ok=True)


class Job:
    """A stage that all machines work on, from the side of the one that leads."""

    def __init__(self, machine: Machine, words: Sequence[str]):
        self.roster, self.others = connect(machine), range(1, machine.nodes)
        self.port, self.lives = _free_port(), Lives(self.roster, self.others)
        self.number = self.roster.add("jobs", 1)
        self.roster.set(f"job/{self.number}", json.dumps({"words": list(words), "port": self.port}))

    def wait_ready(self) -> None:
        """Return once every machine is ready. Raises ValueError where one is lost, or says what it lacks."""
        for number in self.others:
            if lacks := self._wait_for(f"ready/{number}"):
                raise ValueError(f"{self.roster.name(number)}: {lacks}")

    def wait_done(self) -> None:
        """Return once every machine is done. Raises ValueError where one is lost, or failed."""
        for number in self.others:
            self._wait_for(f"done/{number}")
        if failed := self._failed():
            raise ValueError(f"{failed}: repeat the command to go on")

    def wrong(self) -> str:
        """What became of another machine that this one cannot go on without; "" as long as nothing did."""
        return self._failed() or self.lives.lost()

    def blame(self) -> str:
        """Who failed, once a process here did: processes fail before it is known that they lost a machine."""
        deadline = time.monotonic() + SILENCE_SECONDS + 2
        while not (said := self.wrong()) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        return said

    def end(self) -> None:
        """Say that the stage is over, whatever came of it."""
        with suppress(ValueError):
            self.roster.set(f"job/{self.number}/over", "1")

    def _failed(self) -> str:
        for number in self.others:
            if (status := self.roster.get(f"job/{self.number}/done/{number}")) not in (None, "0"):
                return f"{self.roster.name(number)} failed with status {status} (its message stands there)"
        return ""

    def _wait_for(self, key: str) -> str:
        while (said := self.roster.get(f"job/{self.number}/{key}")) is None:
            if lost := self.lives.lost():
                raise ValueError(f"{lost}: repeat the command to go on")
            time.sleep(POLL_SECONDS)
        return said


def _gather(roster: Roster) -> None:
    deadline, own, said = time.monotonic() + JOIN_SECONDS, json.loads(own_hello("")), False
    for number in range(1, roster.nodes):
        while (text := roster.get(f"hello/{number}")) is None:
            if time.monotonic() > deadline:
                raise ValueError(
                    f"{number} of {roster.nodes} machines came to {roster.address} within {JOIN_SECONDS:.0f} s: start "
                    "the same command on each of them, or say nodes= as many as there are"
                )
            if not said:
                print(f"waiting at {roster.address} for {roster.nodes} machines", file=sys.stderr, flush=True)
                said = True
            time.sleep(POLL_SECONDS)
        if lacks := _lacks(json.loads(text), own):
            raise ValueError(f"{roster.name(number)} {lacks}")
    print(f"{roster.nodes} machines train together: {', '.join(map(roster.name, range(roster.nodes)))}", flush=True)


def _lacks(its: dict, own: dict) -> str:
    if its["lacks"]:
        return its["lacks"]
    if its["code"] != own["code"]:
        return f"has other code than {own['host']}: start both in one shared folder, or bring both to one commit"
    if its["torch"] != own["torch"]:
        return f"has torch {its['torch']}, and {own['host']} has {own['torch']}: run ./just setup on both"
    return ""


def _let_go(roster: Roster) -> None:
    deadline = time.monotonic() + LEAVE_SECONDS
    while time.monotonic() < deadline and roster.add("left", 0) < roster.add("joined", 0):
        time.sleep(POLL_SECONDS)


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("", 0))
        return trial.getsockname()[1]
