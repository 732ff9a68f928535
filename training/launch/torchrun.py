"""Starts a stage in several processes with torchrun, one for each GPU, or as many as the settings say."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial

from inference.engines.heartbeat import ADDRESS
from shared.artifacts.locks import die_with_parent
from shared.settings.sections import Machine
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

    Raises ValueError where one of them fell silent or none came any further, naming it and its step. torchrun keeps
    `lock`, a file descriptor, too: if this process is killed, the next one waits until torchrun has ended its workers.
    """
    count = f"--nproc-per-node={processes_of(machine)}"
    command = [sys.executable, "-m", "training.launch.agent", "--standalone", count, "-m", "training", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": str(machine.threads), "TOKENIZERS_PARALLELISM": "false"}
    tie, silence = partial(die_with_parent, signal.SIGTERM), SILENCE_SECONDS[machine.device]
    with (
        listening() as (ear, address),
        subprocess.Popen(command, env={**environment, ADDRESS: address}, pass_fds=(lock,), preexec_fn=tie) as torchrun,
    ):
        try:
            return wait_watching(torchrun, ear, min(silence, machine.stall_seconds), machine.stall_seconds)
        except KeyboardInterrupt:  # it got Ctrl-C too, and ends its workers, which did not
            torchrun.wait()
            raise
