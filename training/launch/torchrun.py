"""Starts a stage in several processes with torchrun, one for each GPU, or as many as the settings say.

With machine.nodes above 1 each machine runs a torchrun of its own, and they meet at a port of the one that leads.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial

from inference.engines.heartbeat import ADDRESS
from shared.artifacts.locks import die_with_parent
from shared.settings.sections import Machine
from training.launch.machines.lead import Job
from training.launch.watch import listening, wait_watching

SILENCE_SECONDS = {"cpu": 20.0, "cuda": 120.0}  # of a process that says four times a second that it lives


def processes_of(machine: Machine) -> int:
    """How many processes a stage gets that can use several: what the settings say, else one for each GPU."""
    if machine.processes:
        return machine.processes
    import torch

    return max(torch.cuda.device_count(), 1) if machine.device == "cuda" else 1


def launch_worker(words: Sequence[str], machine: Machine, lock: int) -> int:
    """Run `python -m training WORDS` in as many processes as `machine` says; returns torchrun's exit status.

    Raises ValueError where one of them fell silent or none came any further, naming it and its step, and where another
    machine is lost, lacks something or fails. torchrun keeps `lock`, a file descriptor, too: if this process is killed,
    the next one waits until torchrun has ended its workers.
    """
    if machine.nodes == 1:
        return run_torchrun(words, machine, keep=(lock,))
    job = Job(machine, words)
    try:
        job.wait_ready()
        place = (f"{machine.rendezvous.rpartition(':')[0]}:{job.port}", 0)
        status = run_torchrun(words, machine, place, job.wrong, keep=(lock,))
        if status and (said := job.blame()):
            raise ValueError(f"{said}: repeat the command to go on")
        if not status:
            job.wait_done()
        return status
    finally:
        job.end()


def run_torchrun(
    words: Sequence[str],
    machine: Machine,
    place: tuple[str, int] | None = None,
    wrong: Callable[[], str] = str,
    keep: tuple[int, ...] = (),
) -> int:
    """Run torchrun on this machine until it ends; its status.

    `place` is the address at which the machines' torchruns meet, HOST:PORT, and this machine's number; None for one
    machine. Raises ValueError as `launch_worker` does, and where `wrong` says something of another machine.
    """
    count = f"--nproc-per-node={processes_of(machine)}"
    meet = ["--standalone"]
    if place:
        host, _, port = place[0].rpartition(":")
        meet = [
            f"--nnodes={machine.nodes}",
            f"--node-rank={place[1]}",
            f"--master-addr={host}",
            f"--master-port={port}",
        ]
    command = [sys.executable, "-m", "training.launch.agent", *meet, count, "-m", "training", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": str(machine.threads), "TOKENIZERS_PARALLELISM": "false"}
    tie, silence = partial(die_with_parent, signal.SIGTERM), SILENCE_SECONDS[machine.device]
    with (
        listening() as (ear, address),
        subprocess.Popen(command, env={**environment, ADDRESS: address}, pass_fds=keep, preexec_fn=tie) as torchrun,
    ):
        try:
            return wait_watching(torchrun, ear, min(silence, machine.stall_seconds), machine.stall_seconds, wrong)
        except KeyboardInterrupt:  # it got Ctrl-C too, and ends its workers, which did not
            torchrun.wait()
            raise
