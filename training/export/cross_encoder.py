"""Writes an encoder as the classifier of one label that was trained: its own head, or the new one it was given."""

import shutil
from pathlib import Path

import torch

from inference.engines.checks.model import load_config
from inference.engines.transformers.engine import load_cross_encoder
from training.export.merge import LEFT_OUT


def write_cross_encoder(base: Path, out: Path) -> None:
    """Fill `out` with `base` and its head, in the type of its weights, by the names that its class gives them."""
    dtype = str(load_config(base).dtype or "float32").removeprefix("torch.")
    shutil.copytree(
        base, out, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*LEFT_OUT), copy_function=shutil.copyfile
    )
    (out / "model.safetensors.index.json").unlink(missing_ok=True)
    load_cross_encoder(base, dtype, torch.device("cpu")).save_pretrained(out)
