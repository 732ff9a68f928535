"""Keeps the state of a training run on disk so that a kill at any moment loses at most the steps since the last save.

A checkpoint is a folder that appears by one rename, holds safetensors and JSON only, and belongs to one fingerprint:
the same settings and the same input files. The last two that are whole are kept, so that damage to one costs the steps
between them.
"""

import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from shared.artifacts.disk import check_room
from shared.artifacts.files import replacing_folder, write_json
from training.trainer.lora import Masters

STATE, PROGRESS = "state.safetensors", "progress.json"
SMALL = 1 << 20  # bytes beside the tensors of a checkpoint, at most


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
    """Put this state in the place of the checkpoint in `folder`, which stays beside it if it is whole."""
    tensors = _tensors(masters, optimizer)
    check_room(folder, sum(tensor.nbytes for tensor in tensors.values()) + SMALL)
    old = _older(folder) if is_whole(folder) or not is_whole(_older(folder)) else None
    with replacing_folder(folder, old=old) as partial:
        save_file(tensors, partial / STATE)
        said = {"fingerprint": fingerprint, "sha256": _hash_file(partial / STATE), **asdict(progress)}
        write_json(partial / PROGRESS, {**said, "sha256_of_this": _hash_json(said)})


def load_checkpoint(
    folder: Path, masters: Masters, optimizer: torch.optim.Optimizer, fingerprint: str
) -> TrainingProgress | None:
    """Restore the newest whole state of this fingerprint that was saved in `folder`; None when there is none.

    What is damaged is named on standard error.
    """
    for candidate in (folder, _older(folder)):  # a kill between the two renames leaves only the older one
        try:
            said = _read(candidate)
        except FileNotFoundError:
            continue
        except ValueError as damage:
            print(f"{damage}: it counts as none", file=sys.stderr, flush=True)
            continue
        if said["fingerprint"] != fingerprint:
            continue
        found = TrainingProgress(said["epoch"], said["step"], said["losses"], tuple(said["history"]))
        _restore(load_file(candidate / STATE), masters, optimizer)
        if candidate != folder:
            print(
                f"{candidate} is taken instead: {found.step} updates of epoch {found.epoch} were done",
                file=sys.stderr,
                flush=True,
            )
        return found
    return None


def is_whole(folder: Path) -> bool:
    """Whether a checkpoint stands in `folder` as it was written."""
    try:
        _read(folder)
    except (FileNotFoundError, ValueError):
        return False
    return True


def _older(folder: Path) -> Path:
    return folder.with_suffix(".old")


def _read(folder: Path) -> dict:
    """What progress.json of a whole checkpoint says. ValueError for a damaged one, FileNotFoundError without one."""
    if not folder.is_dir():
        raise FileNotFoundError(folder)
    path = folder / PROGRESS
    try:
        said = json.loads(path.read_bytes())
        digest = said.pop("sha256_of_this")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged ({type(error).__name__})") from None
    if digest != _hash_json(said):
        raise ValueError(f"{path} is damaged (it is not what was written)")
    try:
        same = _hash_file(folder / STATE) == said["sha256"]
    except OSError as error:
        raise ValueError(f"{folder / STATE} is damaged ({error.strerror})") from None
    if not same:
        raise ValueError(f"{folder / STATE} is damaged (it is not what was written)")
    return said


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash_json(value: dict) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _tensors(masters: Masters, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    state = optimizer.state.get(masters.weights, {})
    tensors = {"weights": masters.weights, **state, **masters.scale.state()}
    return {name: value.detach().cpu() for name, value in tensors.items()}


def _restore(tensors: dict[str, torch.Tensor], masters: Masters, optimizer: torch.optim.Optimizer) -> None:
    masters.scale.restore(tensors)
    with torch.no_grad():
        masters.weights.copy_(tensors.pop("weights"))
    optimizer.state[masters.weights] = {
        name: value if name == "step" else value.to(masters.weights.device) for name, value in tensors.items()
    }
    masters.publish()
