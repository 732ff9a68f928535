"""Follows the machine that leads: takes part in every stage that it offers, and ends when it does."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from shared.artifacts.disk import sentence_of
from shared.settings.load import read_settings
from shared.task.current import use
from training.launch.machines.roster import POLL_SECONDS, SILENCE_SECONDS, Roster, hello, read_note
from training.launch.torchrun import run_torchrun
from training.pipeline.ahead.machine import refuse_machine
from training.pipeline.recipe import recipe_of
from training.pipeline.stages import STAGES
from training.run_folder.base_models import local_folder

SEEN_SECONDS = 60.0  # after which a network file system shows what another machine wrote


def follow(roster: Roster) -> int:
    """Join, and take part until the machine that leads lets go; its status. Raises ValueError where it is lost."""
    roster.number = roster.add("joined", 1)
    if roster.number >= roster.nodes:
        roster.add("left", 1)
        raise ValueError(f"{roster.nodes} machines are at {roster.address} already: this one is not needed")
    run, token = json.loads(_within(SILENCE_SECONDS, lambda: roster.get("run")) or '["", ""]')
    same = _within(SEEN_SECONDS, lambda: read_note(Path(run)) == token and token)
    leads = roster.name(0)
    lacks = "" if same else f"does not see {run} as {leads} does: start both in one folder that all machines share"
    roster.set(f"hello/{roster.number}", hello(lacks))
    roster.beat()
    print(f"machine {roster.number} of {roster.nodes}, led by {leads} at {roster.address}", flush=True)
    status = _take_part_in_all(roster)
    roster.leave()
    roster.add("left", 1)
    if status:
        raise ValueError(f"{leads} ended with status {status} (its message stands there): repeat the command on each")
    return 0


def _take_part_in_all(roster: Roster) -> int:
    job = 1
    while (end := roster.get("end")) is None:
        if offer := roster.get(f"job/{job}"):
            _take_part(roster, job, json.loads(offer))
            job += 1
        time.sleep(POLL_SECONDS)
    return int(end)


def _take_part(roster: Roster, job: int, offer: dict) -> None:
    _, name, folder, fingerprint = offer["words"]
    lacks = _lacks(name, Path(folder), fingerprint)
    roster.set(f"job/{job}/ready/{roster.number}", lacks)
    if lacks:
        return
    print(f"{name}  {STAGES[name].meaning}", flush=True)

    def wrong() -> str:
        return "the machine that leads ended this stage" if roster.get(f"job/{job}/over") else ""

    machine = read_settings(Path(folder)).machine
    place = (f"{roster.address.rpartition(':')[0]}:{offer['port']}", roster.number)
    try:
        status = run_torchrun(offer["words"], machine, place, wrong)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        status = 1
    roster.set(f"job/{job}/done/{roster.number}", str(status))


def _lacks(name: str, run: Path, fingerprint: str) -> str:
    """Why this machine cannot take part in the stage, in a sentence; "" where it can."""
    try:
        settings, stage = read_settings(run), STAGES[name]
        use(settings.task)
        refuse_machine(stage, settings)
        for model in (getattr(settings, section) for section in stage.sections):
            if base := getattr(model, "base", ""):
                local_folder(base)
        if not _within(SEEN_SECONDS, lambda: _is_seen(name, run, fingerprint)):
            return f"it does not see what {name} reads in {run} as the machine that leads does"
    except Exception as error:
        return sentence_of(error) or f"{type(error).__name__}: {error}"
    return ""


def _is_seen(name: str, run: Path, fingerprint: str) -> bool:
    try:
        return recipe_of(STAGES[name], run, read_settings(run)).fingerprint == fingerprint
    except ValueError:  # not there yet
        return False


def _within(seconds: float, look: Callable):
    """What `look` finds as soon as it finds something; what it found last where it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return found
