"""Keeps the state of a training run on disk so that a kill at any moment loses at most the steps since the last save.

A checkpoint is a folder that appears by one rename, holds safetensors and JSON only, and belongs to one fingerprint:
the same settings and the same input files.
"""

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from training.trainer.lora import Masters


@dataclass(frozen=True)
class TrainingProgress:
    """How far a run has come: `step` updates of `epoch` are done; `losses` sum up the epoch's losses so far."""

    epoch: int
    step: int
    losses: float
    history: tuple[dict, ...]  # metrics of each finished epoch


def save_checkpoint(
    folder: Path, masters: Masters, optimizer: torch.optim.Optimizer, progress: TrainingProgress, fingerprint: str
) -> None:
    """Replace the checkpoint in `folder` by this state."""
    partial, old = folder.with_suffix(".partial"), folder.with_suffix(".old")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save_file(_tensors(masters, optimizer), partial / "state.safetensors")
    digest = hashlib.sha256((partial / "state.safetensors").read_bytes()).hexdigest()
    _write_json(partial / "progress.json", {"fingerprint": fingerprint, "sha256": digest, **asdict(progress)})
    if folder.exists():  # if not, .old is the only whole one: it stays until this one is in place
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def load_checkpoint(
    folder: Path, masters: Masters, optimizer: torch.optim.Optimizer, fingerprint: str
) -> TrainingProgress | None:
    """Restore the state saved in `folder`; None when there is no whole one of this fingerprint."""
    for candidate in (folder, folder.with_suffix(".old")):  # a kill between the two renames leaves only .old
        found = _read(candidate, fingerprint)
        if found is not None:
            _restore(load_file(candidate / "state.safetensors"), masters, optimizer)
            return found
    return None


def _read(folder: Path, fingerprint: str) -> TrainingProgress | None:
    try:
        saved = json.loads((folder / "progress.json").read_text())
        state = (folder / "state.safetensors").read_bytes()
    except (FileNotFoundError, ValueError):  # never written, or torn
        return None
    if saved.pop("fingerprint") != fingerprint or saved.pop("sha256") != hashlib.sha256(state).hexdigest():
        return None
    return TrainingProgress(saved["epoch"], saved["step"], saved["losses"], tuple(saved["history"]))


def _tensors(masters: Masters, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    state = optimizer.state.get(masters.weights, {})
    return {name: value.detach().cpu() for name, value in {"weights": masters.weights, **state}.items()}


def _restore(tensors: dict[str, torch.Tensor], masters: Masters, optimizer: torch.optim.Optimizer) -> None:
    with torch.no_grad():
        masters.weights.copy_(tensors.pop("weights"))
    optimizer.state[masters.weights] = {
        name: value if name == "step" else value.to(masters.weights.device) for name, value in tensors.items()
    }
    masters.publish()


def _write_json(path: Path, value: dict) -> None:
    with path.open("w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
