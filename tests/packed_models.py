"""Writes a tiny model's linear layers as AWQ and GPTQ checkpoints have them, with numbers that rounding gives."""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

COLUMNS = (0, 2, 4, 6, 1, 3, 5, 7)  # of 8, as AWQ puts them into an int32, the first lowest
GROUP = 16


def round_to_groups(weight_OI: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Numbers [I, O] from 0 to 15, zeros [G, O] and scales [G, O] float16, for groups of GROUP inputs."""
    groups_GgO = weight_OI.T.float().reshape(-1, GROUP, len(weight_OI))
    low, high = groups_GgO.amin(1).clamp(max=0), groups_GgO.amax(1).clamp(min=0)
    scales_GO = ((high - low) / 15).clamp(min=1e-4).half()
    zeros_GO = (-low / scales_GO).round().clamp(1, 15).int()
    numbers = (groups_GgO / scales_GO.unsqueeze(1) + zeros_GO.unsqueeze(1)).round().clamp(0, 15)
    return numbers.flatten(0, 1).int(), zeros_GO, scales_GO


def columns_together(numbers: torch.Tensor, order=range(8)) -> torch.Tensor:
    """[n, m] -> [n, m / 8] int32; the number of column order[i] of 8 stands at bit 4 i."""
    parts = numbers.long().view(len(numbers), -1, 8)
    packed = sum(parts[:, :, column] << 4 * place for place, column in enumerate(order))
    return torch.where(packed < 2**31, packed, packed - 2**32).int()


def awq_parts(weight_OI: torch.Tensor) -> dict[str, torch.Tensor]:
    numbers, zeros, scales = round_to_groups(weight_OI)
    return {
        "qweight": columns_together(numbers, COLUMNS),
        "qzeros": columns_together(zeros, COLUMNS),
        "scales": scales,
    }


def gptq_parts(
    weight_OI: torch.Tensor, *, shuffled: bool = False, first_format: bool = True
) -> dict[str, torch.Tensor]:
    """`shuffled`: the groups hold inputs from everywhere, as with desc_act."""
    inputs = weight_OI.shape[1]
    order = torch.randperm(inputs, generator=torch.Generator().manual_seed(0)) if shuffled else torch.arange(inputs)
    numbers, zeros, scales = round_to_groups(weight_OI[:, order])
    back = order.argsort()
    return {
        "qweight": columns_together(numbers[back].T.contiguous()).T.contiguous(),
        "qzeros": columns_together(zeros - 1 if first_format else zeros),
        "scales": scales,
        "g_idx": (back // GROUP).int(),
    }


def dense_of(weight_OI: torch.Tensor, *, order: torch.Tensor | None = None) -> torch.Tensor:
    """[O, I] float16: what the rounded numbers stand for, worked out without any packing."""
    order = torch.arange(weight_OI.shape[1]) if order is None else order
    numbers, zeros, scales = round_to_groups(weight_OI[:, order])
    spread = [part.repeat_interleave(GROUP, 0) for part in (zeros, scales)]
    return ((numbers - spread[0]).half() * spread[1]).T[:, order.argsort()].contiguous()


def make_packed(base: Path, folder: Path, method: str, **how) -> Path:
    """The decoder in `base`, its linear layers in 4 bits; the head and all else in float16."""
    shutil.copytree(base, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.safetensors"))
    tensors = {}
    for name, tensor in load_file(base / "model.safetensors").items():
        path = name.removesuffix(".weight")
        if not path.endswith("_proj"):
            tensors[name] = tensor.half()
            continue
        parts = awq_parts(tensor) if method == "awq" else gptq_parts(tensor, **how)
        tensors |= {f"{path}.{part}": value.contiguous() for part, value in parts.items()}
        if method == "gptq":  # as AutoGPTQ writes them, every layer has a bias
            tensors[f"{path}.bias"] = torch.zeros(len(tensor), dtype=torch.float16)
    tensors |= {name: value.half() for name, value in load_file(base / "model.safetensors").items() if "bias" in name}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    said = {"quant_method": method, "bits": 4, "group_size": GROUP, "version": "gemm", "desc_act": False}
    if method == "gptq":
        said |= {"checkpoint_format": "gptq" if how.get("first_format", True) else "gptq_v2", "sym": False}
    config |= {"quantization_config": said, "dtype": "float16"}
    (folder / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    return folder
