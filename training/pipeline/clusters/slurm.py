"""Puts a training into Slurm's queue: one job whose machines run the command that would be typed on each of them."""

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.artifacts.files import write_text
from shared.counted import count
from shared.settings.sections import Machine
from training.pipeline.ahead.survey import refuse_to_replace, survey
from training.pipeline.chain import checked_chain
from training.run_folder.names import Target

TEMPLATE = Path(__file__).with_name("train.sbatch")
FOLDER = "slurm"  # in the run folder: the script, and what each job printed


def submit(target: Target, words: Sequence[str], replace: bool = False) -> int:
    """Write the script for `train` with `words` and hand it to sbatch; 0.

    Raises ValueError for what can be known to fail here, where a job of the run is in the queue already, and where
    Slurm refuses the script.
    """
    steps = survey(checked_chain(target))
    if not replace:
        refuse_to_replace(steps)
    machine, script = steps[-1].settings.machine, target.run / FOLDER / "train.sbatch"
    name = f"malrule-{target.run.parent.name}-{target.run.name}"
    if queued := _slurm("squeue", "--noheader", "--me", f"--name={name}", "--format=%i"):
        raise ValueError(f"job {queued.split()[0]} trains {target.run} already: scancel {queued.split()[0]} ends it")
    script.parent.mkdir(parents=True, exist_ok=True)
    write_text(script, render(target.run, name, words, machine))
    job = _slurm("sbatch", "--parsable", *shlex.split(machine.slurm), str(script)).partition(";")[0]
    print(f"job {job} trains {target.run} on {count(machine.nodes, 'machine')}, as {script} says")
    print(f"it prints to {script.with_name(job)}.log; squeue --job={job} says how it stands, scancel {job} ends it")
    return 0


def render(run: Path, name: str, words: Sequence[str], machine: Machine) -> str:
    """The script of a job `name` that runs `train` with `words` on each machine, in this folder and this Python."""
    command = shlex.join([sys.executable, "-m", "training", "train", *words])
    values = {
        "NAME": name,
        "NODES": str(machine.nodes),
        "LOG": str(run / FOLDER / "%j.log"),
        "ROOT": shlex.quote(str(Path.cwd())),
        "COMMAND": command,
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text


def _slurm(*command: str) -> str:
    """What a program of Slurm's prints. Raises ValueError where there is no Slurm, and with what it refuses."""
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise ValueError(
            f"on=slurm: there is no {command[0]} here; type it on a machine from which jobs are submitted to Slurm"
        ) from None
    if done.returncode:
        said = next(iter(done.stderr.strip().splitlines()), f"status {done.returncode}")
        raise ValueError(
            f"on=slurm: {said.removeprefix(f'{command[0]}: error: ')}; `machine.slurm` has words for sbatch"
        )
    return done.stdout.strip()
