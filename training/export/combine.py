"""Makes one adapter of several, or a part of one: the mean, a slerp, a share. The result is exact, of a larger rank."""

from collections.abc import Sequence
from math import acos, sin, sqrt
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from safetensors.torch import save_file

from shared.artifacts.files import write_json
from training.export.adapter import CONFIG, PREFIX, WEIGHTS, read_adapter_config
from training.export.merge import Delta, read_deltas

Method = Literal["mean", "slerp"]
NEARLY_PARALLEL = 0.9995  # cosine from which on a slerp is a straight line, as mergekit has it


def combine_adapters(adapters: Sequence[Path], out: Path, method: Method = "mean", share: float = 1.0) -> None:
    """Write to `out` one adapter whose every delta combines the deltas of `adapters`, times `share`.

    Whatever their ranks, its A holds all A below one another and its B all B, each times its weight and alpha / rank,
    beside one another: B A is the weighted sum of the products. The mean of the A times the mean of the B would be
    another matrix. Raises ValueError for adapters of different weights, and with DoRA.
    """
    configs = _configs(adapters)
    parts = [read_deltas(adapter) for adapter in adapters]
    for adapter, part in zip(adapters, parts, strict=True):
        if odd := sorted(part.keys() ^ parts[0].keys()):
            raise ValueError(f"{adapter} and {adapters[0]} do not adapt the same weights, {odd[0]} for one: train anew")
    tensors = {}
    for path in parts[0]:
        mine = [part[path] for part in parts]
        tensors[f"{PREFIX}{path}.lora_A.weight"] = torch.cat([delta.A.float() for delta in mine])
        scaled = [delta.B.float() * factor for delta, factor in zip(mine, _factors(mine, method, share), strict=True)]
        tensors[f"{PREFIX}{path}.lora_B.weight"] = torch.cat(scaled, dim=1)
    rank = sum(config["r"] for config in configs)
    config = configs[0] | {"r": rank, "lora_alpha": rank, "use_rslora": False}
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / CONFIG, config)
    save_file(tensors, out / WEIGHTS, metadata={"format": "pt"})


def slerp_weights(products: np.ndarray) -> list[float]:
    """What each of n vectors is multiplied by to go along the arc between them, one after the other.

    `products` [n, n] are their inner products. The first is turned half of the way to the second, the result a third
    of the way to the third, and so on; the length goes along evenly. So the order counts from three on. Vectors that
    are nearly parallel, opposite or 0 are joined by a straight line.
    """
    weights = np.eye(len(products))[0]
    for place in range(1, len(products)):
        share, other = 1 / (place + 1), np.eye(len(products))[place]
        lengths = [sqrt(max(vector @ products @ vector, 0.0)) for vector in (weights, other)]
        cosine = weights @ products @ other / (lengths[0] * lengths[1]) if all(lengths) else 1.0
        if abs(cosine) > NEARLY_PARALLEL:
            weights = (1 - share) * weights + share * other
            continue
        angle = acos(cosine)
        weights = (sin((1 - share) * angle) * weights + sin(share * angle) * other) / sin(angle)
    return weights.tolist()


def _configs(adapters: Sequence[Path]) -> list[dict]:
    configs = [read_adapter_config(adapter) for adapter in adapters]
    for adapter, config in zip(adapters, configs, strict=True):
        if config.get("fan_in_fan_out") != configs[0].get("fan_in_fan_out"):
            raise ValueError(f"{adapter / CONFIG}: fan_in_fan_out is {config.get('fan_in_fan_out')}, unlike the others")
        if config.get("use_dora"):
            raise ValueError(
                f"{adapter} is trained with DoRA, whose deltas have no mean and no share: merge one epoch whole, or "
                "train with lora.dora=false"
            )
    return configs


def _factors(deltas: Sequence[Delta], method: Method, share: float) -> list[float]:
    """What each B is multiplied by."""
    if method == "mean":
        return [delta.scale * share / len(deltas) for delta in deltas]
    weights = slerp_weights(_inner_products(deltas))
    return [delta.scale * share * weight for delta, weight in zip(deltas, weights, strict=True)]


def _inner_products(deltas: Sequence[Delta]) -> np.ndarray:
    """[n, n] of the scaled products B A, as if each were one long vector: trace of (B A)^T B' A', by small matrices."""
    A, B = ([getattr(delta, name).double() for delta in deltas] for name in "AB")
    found = [
        [one.scale * other.scale * ((B[i].T @ B[j]) * (A[i] @ A[j].T)).sum().item() for j, other in enumerate(deltas)]
        for i, one in enumerate(deltas)
    ]
    return np.array(found)
