"""Starts benchmarks/gpus.py under torchrun, with a process for each GPU."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def start_on_gpus(names: Sequence[str], shape: str, gpus: int, out: Path) -> None:
    """Measure the stages `names`; `out` is the folder that gets a JSON for each of them."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={gpus}"]
    subprocess.run([*command, "-m", "benchmarks.gpus", ",".join(names), shape, str(out)], check=True)
