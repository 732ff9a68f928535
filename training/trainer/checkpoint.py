"""Keeps the state of a training run on disk so that a kill at any moment loses at most the steps since the last save.

A checkpoint is a folder that appears by one rename, holds safetensors and JSON only, and belongs to one fingerprint:
the same settings and the same input files.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from shared.artifacts.files import replacing_folder, write_json
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
    with replacing_folder(folder, old=folder.with_suffix(".old")) as partial:
        save_file(_tensors(masters, optimizer), partial / "state.safetensors")
        digest = hashlib.sha256((partial / "state.safetensors").read_bytes()).hexdigest()
        write_json(partial / "progress.json", {"fingerprint": fingerprint, "sha256": digest, **asdict(progress)})


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
        saved = json.loads((folder / "progress.json").read_text(encoding="utf-8"))
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
