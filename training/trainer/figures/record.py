"""Records a training while it runs: its loss within an epoch, tokens, seconds and memory. It changes no result."""

import resource
from pathlib import Path

import torch

from inference.engines.distributed import rank, world
from shared.counted import count
from training.run_folder.training_log import LINES_OF_EPOCH, TrainingLog, log_of


class Record:
    """Adds up what updates come to, and writes a line of the log for every so many of them."""

    def __init__(self, work: Path, fingerprint: str, device: torch.device, done: tuple[int, int]):
        self.device, self.log = device, TrainingLog(log_of(work))
        self._forget()
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        if rank() == 0:
            self.log.begin(fingerprint, hardware_of(device), world(), done)

    def add(self, epoch: int, update: int, updates: int, *, loss: float, tokens: int, seconds: float) -> None:
        """Count update `update`, from 1 on, of an epoch of `updates`."""
        self.count, self.loss = self.count + 1, self.loss + loss
        self.tokens, self.seconds = self.tokens + tokens, self.seconds + seconds
        if update % -(-updates // LINES_OF_EPOCH) and update < updates:
            return
        if rank() == 0:
            self.log.add(
                epoch=epoch,
                update=update,
                updates=updates,
                loss=self.loss / self.count,
                tokens=self.tokens,
                seconds=round(self.seconds, 4),
                peak_bytes=peak_bytes(self.device),
            )
        self._forget()

    def _forget(self) -> None:
        self.count, self.loss, self.tokens, self.seconds = 0, 0.0, 0, 0.0


def hardware_of(device: torch.device) -> str:
    """`2 x NVIDIA H100 80GB HBM3`, `2 threads of AMD EPYC 7B13`: all processes are taken to have the same."""
    if device.type == "cuda":
        return f"{world()} x {torch.cuda.get_device_name(device)}"
    return f"{count(torch.get_num_threads() * world(), 'thread')} of {_processor()}"


def peak_bytes(device: torch.device) -> int:
    """What this process held at most: of a GPU's memory what was allocated, else its resident memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # Linux says it in KiB


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "a CPU")
