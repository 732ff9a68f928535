"""Refuses what cannot work before anything is read or written: a profile of another machine, a place for no file."""

import os
from pathlib import Path

from inference.machine.doctor import missing_gpus
from inference.machine.hardware import this_machine
from inference.machine.profiles import load_profile
from shared.task.current import TASK


def refuse_machine(profile: str) -> None:
    """Raise ValueError for a profile that there is not, or that asks for GPUs which this machine has not."""
    wanted = load_profile(profile)
    if wanted.device == "cuda" and (fault := missing_gpus(wanted, this_machine())):
        raise ValueError(f"--profile {profile}: {fault}; `./just doctor` says which profile fits")


def refuse_place(out: Path) -> None:
    """Raise ValueError where no file `out` can be written: it is a folder, or lies where none can be made."""
    if out.is_dir():
        raise ValueError(f"--out {out} is a folder: name the file, as in --out {out / TASK.submission.file}")
    there = out.absolute().parent
    while not there.exists():
        there = there.parent
    if not there.is_dir():
        raise ValueError(f"--out {out}: {there} is a file, so nothing can lie in it: name another place")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(f"--out {out}: {there} cannot be written to: name another place")


def refuse_competition(folder: Path) -> None:
    """Raise ValueError where the test rows or the misconceptions are missing; what is in them is read later."""
    for name in (TASK.files.test, TASK.files.misconceptions):
        if not (folder / name).is_file():
            raise ValueError(f"--competition {folder}: {folder / name} does not exist: name the folder that holds it")
