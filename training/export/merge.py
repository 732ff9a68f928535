"""Merges an adapter into its base, shard by shard, and proves that the merged model answers as the adapted one did."""

import math
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from inference.engines.checks.files import read_config, tensor_shapes
from training.export.adapter import CONFIG, PREFIX, SIZES, WEIGHTS, check_factors, read_adapter_config, scale_of

# Rounding to bfloat16 alone made SmolLM2-135M miss 20 % of the effect; a lost head or a doubled scale misses 100 %.
MOST_MISSED_SHARE = 0.5
TURNED = ("gpt2",)  # families that store the weights of their linear layers as [in, out]
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


@dataclass(frozen=True)
class Delta:
    """What an adapter adds to a weight [out, in]: scale * B A, and with DoRA the size of each output instead."""

    A: torch.Tensor  # [rank, in]
    B: torch.Tensor  # [out, rank]
    scale: float
    turned: bool = False  # the weight is stored as [in, out]
    sizes: torch.Tensor | None = None  # [out]

    def applied(self, weight: torch.Tensor) -> torch.Tensor:
        """The merged weight, as it is stored and of its type."""
        added = self.scale * (self.B.float() @ self.A.float())
        whole = weight.float() + (added.T if self.turned else added)
        if self.sizes is not None:
            whole = whole * (self.sizes.float() / whole.norm(dim=1)).unsqueeze(1)
        return whole.to(weight.dtype)


def merge(base: Path, adapter: Path, out: Path) -> int:
    """Write to `out` the base model with W + scale * B A in place of each adapted W; returns how many.

    Tensors keep the base's names, types and shards, so lm_head stays, tied or untied as it was; one shard at a time is
    in memory. Raises ValueError when an adapted weight has no tensor, or not exactly one, in the base.
    """
    shards = sorted(base.glob("*.safetensors"))
    if not shards:
        raise ValueError(f"{base} holds no .safetensors file: convert the base model first; no other format is read")
    shutil.copytree(
        base, out, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*LEFT_OUT), copy_function=shutil.copyfile
    )
    for part in base.glob("*/model.safetensors"):  # dense layers behind the pooling
        if (out / part.parent.name).is_dir():
            shutil.copyfile(part, out / part.relative_to(base))
    deltas = read_deltas(adapter)
    turned = {delta.turned for delta in deltas.values()}
    if turned != {read_config(out).get("model_type") in TURNED}:
        raise ValueError(
            f"{adapter / CONFIG}: fan_in_fan_out is {turned.pop()}, and {base} is stored the other way round"
        )
    merged: set[str] = set()
    for shard in shards:
        tensors, metadata = _merge_shard(shard, deltas, merged)
        save_file(tensors, out / shard.name, metadata=metadata)
    if missing := sorted(deltas.keys() - merged):
        raise ValueError(f"{adapter} adapts {missing[0]}, which {base} does not have: it was trained on another base")
    return len(merged)


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


def moved_share(plain: np.ndarray, merged: np.ndarray, trained: np.ndarray) -> float:
    """How far the answers of the merged model are from those of what was trained, as a share of the merged effect."""
    return _rms(merged - trained) / (_rms(merged - plain) or math.inf)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values.astype(np.float64)))))


def read_deltas(adapter: Path) -> dict[str, Delta]:
    """Module path -> what is added to its weight. Raises ValueError for a file that is not as its configuration."""
    config = read_adapter_config(adapter)
    shapes = tensor_shapes(adapter / WEIGHTS)
    paths = sorted({name.rsplit(".lora_", 1)[0] for name in shapes})
    check_factors(adapter, config, paths, shapes)
    how = {"scale": scale_of(config), "turned": bool(config.get("fan_in_fan_out"))}
    with safe_open(adapter / WEIGHTS, "pt") as file:
        return {
            path.removeprefix(PREFIX): Delta(
                file.get_tensor(f"{path}.lora_A.weight"),
                file.get_tensor(f"{path}.lora_B.weight"),
                sizes=file.get_tensor(f"{path}{SIZES}") if config.get("use_dora") else None,
                **how,
            )
            for path in paths
        }


def _merge_shard(shard: Path, deltas: dict[str, Delta], merged: set[str]) -> tuple[dict, dict[str, str]]:
    tensors, bare = {}, {path.partition(".")[2]: path for path in deltas if "." in path}
    with safe_open(shard, "pt") as file:
        for name in file.keys():  # noqa: SIM118
            tensors[name], path = file.get_tensor(name), _adapted_path(name, deltas, bare)
            if path is None:
                continue
            if path in merged:
                raise ValueError(f"{shard}: {path} is adapted twice, the last time as {name}: the base is ambiguous")
            tensors[name] = deltas[path].applied(tensors[name])
            merged.add(path)
        return tensors, file.metadata() or {"format": "pt"}


def _adapted_path(name: str, deltas: dict[str, Delta], bare: dict[str, str]) -> str | None:
    """The adapted module whose weight is tensor `name`, or None.

    The base may carry a prefix ("model.") that the module without head lacks, or lack one that the module with its head
    has: `bare` holds the paths without their first name.
    """
    whole = path = name.removesuffix(".weight") if name.endswith(".weight") else ""
    while path and path not in deltas:
        path = path.partition(".")[2]
    return path or bare.get(whole)
