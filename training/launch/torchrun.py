"""Starts a stage in several processes with torchrun, one for each GPU, or as many as the settings say."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial

from shared.artifacts.locks import die_with_parent
from shared.settings.sections import Machine


def processes_of(machine: Machine) -> int:
    """How many processes a stage gets that can use several: what the settings say, else one for each GPU."""
    if machine.processes:
        return machine.processes
    import torch

    return max(torch.cuda.device_count(), 1) if machine.device == "cuda" else 1


def launch_worker(words: Sequence[str], *, processes: int, threads: int, lock: int) -> int:
    """Run `python -m training WORDS` in so many processes; returns torchrun's exit status.

    torchrun keeps `lock`, a file descriptor, too: if this process is killed, the next one waits until torchrun has
    ended its workers.
    """
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
    tie = partial(die_with_parent, signal.SIGTERM)
    whole = [*command, "-m", "training", *words]
    with subprocess.Popen(whole, env=environment, pass_fds=(lock,), preexec_fn=tie) as torchrun:
        try:
            return torchrun.wait()
        except KeyboardInterrupt:  # it got Ctrl-C too, and ends its workers, which did not
            torchrun.wait()
            raise
