"""Merges an adapter into its base, shard by shard, and proves that the merged model answers as the adapted one did."""

import math
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from inference.engines.checks.files import tensor_shapes
from shared.artifacts.files import write_json
from training.export.adapter import PREFIX, WEIGHTS, check_factors, read_adapter_config

# Rounding to bfloat16 alone made SmolLM2-135M miss 20 % of the effect; a lost head or a doubled scale misses 100 %.
MOST_MISSED_SHARE = 0.5
LEFT_OUT = (
    "*.safetensors",
    "*.bin",
    "*.gguf",
    "*.h5",
    "*.msgpack",
    "*.onnx",
    "onnx",
    "openvino",
    "manifest.json",
    "card.json",
)


def merge(base: Path, adapter: Path, out: Path) -> int:
    """Write to `out` the base model with W + alpha / rank * B A in place of each adapted W; returns how many.

    Tensors keep the base's names, types and shards, so lm_head stays, tied or untied as it was; one shard at a time is
    in memory. Raises ValueError when an adapted weight has no tensor, or not exactly one, in the base.
    """
    shards = sorted(base.glob("*.safetensors"))
    if not shards:
        raise ValueError(f"{base} holds no .safetensors file: convert the base model first; no other format is read")
    shutil.copytree(
        base, out, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*LEFT_OUT), copy_function=shutil.copyfile
    )
    deltas = _read_deltas(adapter)
    merged: set[str] = set()
    for shard in shards:
        tensors, metadata = _merge_shard(shard, deltas, merged)
        save_file(tensors, out / shard.name, metadata=metadata)
    if missing := sorted(deltas.keys() - merged):
        raise ValueError(f"{adapter} adapts {missing[0]}, which {base} does not have: it was trained on another base")
    return len(merged)


def average_adapters(adapters: Sequence[Path], out: Path) -> None:
    """Write to `out` one adapter whose every delta is the mean of the deltas of `adapters`, whatever their ranks.

    Its A holds all A below one another and its B all B, each times alpha / rank / n, beside one another: B A is the sum
    of the products. The mean of the A times the mean of the B would be another matrix. Raises ValueError for adapters
    of different weights.
    """
    parts = [_read_deltas(adapter) for adapter in adapters]
    for adapter, part in zip(adapters, parts, strict=True):
        if odd := sorted(part.keys() ^ parts[0].keys()):
            raise ValueError(f"{adapter} and {adapters[0]} do not adapt the same weights, {odd[0]} for one: train anew")
    tensors = {}
    for path in parts[0]:
        mine = [part[path] for part in parts]
        tensors[f"base_model.model.{path}.lora_A.weight"] = torch.cat([A.float() for A, _, _ in mine])
        scaled = [B.float() * (scale / len(parts)) for _, B, scale in mine]
        tensors[f"base_model.model.{path}.lora_B.weight"] = torch.cat(scaled, dim=1)
    configs = [read_adapter_config(adapter) for adapter in adapters]
    rank = sum(config["r"] for config in configs)
    config = configs[0] | {"r": rank, "lora_alpha": rank}
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "adapter_config.json", config)
    save_file(tensors, out / "adapter_model.safetensors", metadata={"format": "pt"})


def check_merged(plain: np.ndarray, adapted: np.ndarray, merged: np.ndarray, tolerance: float) -> float:
    """Share of the adapter's effect on the probe inputs that the merged model misses.

    The three are the answers of the base, of base and adapter, and of the merged model. Root mean squares: a merged
    weight is rounded to the base's type, which shifts single answers; a lost head, a wrong scale or a wrong base
    miss the effect itself. Raises ValueError above MOST_MISSED_SHARE, unless the difference is within `tolerance`.
    """
    effect, error = _rms(adapted - plain), _rms(merged - adapted)
    missed = error / effect if effect else math.inf if error else 0.0
    if not (missed <= MOST_MISSED_SHARE or error <= tolerance):
        raise ValueError(
            f"the merged model differs from base and adapter by {error:.4f} on probe inputs, {missed:.0%} of the "
            f"adapter's effect, allowed are {MOST_MISSED_SHARE:.0%} or {tolerance}: nothing was written"
        )
    return missed


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values.astype(np.float64)))))


def _read_deltas(adapter: Path) -> dict[str, tuple[torch.Tensor, torch.Tensor, float]]:
    """Module path -> (A [rank, in], B [out, rank], scale)."""
    config = read_adapter_config(adapter)
    shapes = tensor_shapes(adapter / WEIGHTS)
    paths = sorted({name.rsplit(".lora_", 1)[0] for name in shapes})
    check_factors(adapter, config["r"], paths, shapes)
    scale = config["lora_alpha"] / config["r"]
    with safe_open(adapter / WEIGHTS, "pt") as file:
        return {
            path.removeprefix(PREFIX): (
                file.get_tensor(f"{path}.lora_A.weight"),
                file.get_tensor(f"{path}.lora_B.weight"),
                scale,
            )
            for path in paths
        }


def _merge_shard(shard: Path, deltas: dict, merged: set[str]) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    tensors = {}
    with safe_open(shard, "pt") as file:
        for name in file.keys():  # noqa: SIM118
            tensors[name], path = file.get_tensor(name), _adapted_path(name, deltas)
            if path is None:
                continue
            if path in merged:
                raise ValueError(f"{shard}: {path} is adapted twice, the last time as {name}: the base is ambiguous")
            A, B, scale = deltas[path]
            weight = tensors[name]
            tensors[name] = (weight.float() + scale * (B.float() @ A.float())).to(weight.dtype)
            merged.add(path)
        return tensors, file.metadata() or {"format": "pt"}


def _adapted_path(name: str, deltas: dict) -> str | None:
    """The adapted module whose weight is tensor `name`, or None.

    The base may carry a prefix ("model.") that the module without head lacks.
    """
    path = name.removesuffix(".weight") if name.endswith(".weight") else ""
    while path and path not in deltas:
        path = path.partition(".")[2]
    return path or None
