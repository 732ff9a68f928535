"""Loads a decoder with its linear layers in 4 bits, tensor by tensor, so that its 16 bits never lie in memory at once.

The folder has them in 16 bits, and each is rounded to NF4 when it is read, or in 4 bits, as AWQ and GPTQ store them.
"""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import torch
from accelerate import init_empty_weights
from safetensors import safe_open
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel
from transformers.initialization import no_init_weights

from inference.engines.checks.quantised import Hosted, hosted_format
from inference.engines.transformers.families import SHARES_PREFIXES
from inference.engines.transformers.low_bit import nf4
from inference.engines.transformers.low_bit.hosted import read_layer
from inference.engines.transformers.low_bit.linear import PackedLinear

FULL = "take a 16-bit base, and weights=full"


def load_low_bit(
    kind: type, folder: Path, config: PretrainedConfig, dtype: torch.dtype, device: torch.device, attention: str
) -> PreTrainedModel:
    """The model in `folder` with every linear layer below its head in 4 bits, and the rest in `dtype`.

    Raises ValueError for a model that is no decoder, and for one whose tensors lie in its files in another way than
    in its modules, such as a mixture of experts.
    """
    if config.model_type not in SHARES_PREFIXES:
        raise ValueError(f"{folder} is a {config.model_type}, and decoders alone are held in 4 bits: {FULL}")
    hosted = hosted_format(folder, config)
    model = _describe(kind, config, dtype, attention)
    waiting: dict[str, dict[str, torch.Tensor]] = {}  # of hosted layers, whose tensors come one by one
    for name, tensor in _tensors(folder, device):
        path, _, last = name.rpartition(".")
        module = _module(model, path)
        if isinstance(module, PackedLinear) and last != "bias":
            parts = waiting.setdefault(path, {})
            parts[last] = tensor
            if _fill(module, parts, hosted, name):
                del waiting[path]
        elif module is not None:
            _assign(module, last, tensor, dtype, name)
    model.tie_weights()
    missing = [name for name, tensor in model.named_parameters() if tensor.is_meta]
    if missing:
        raise ValueError(f"{folder} has no {missing[0]} that could be held in 4 bits: {FULL}")
    return model.to(device)


def _describe(kind: type, config: PretrainedConfig, dtype: torch.dtype, attention: str) -> PreTrainedModel:
    """The model without weights; what its code computes for itself, such as angles of positions, is there."""
    config = deepcopy(config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with no_init_weights(), init_empty_weights(include_buffers=False):
        model = kind.from_config(config, dtype=dtype, attn_implementation=attention)
    for parent in [*model.base_model.modules()]:
        for name, child in parent.named_children():
            if type(child) is nn.Linear:
                setattr(parent, name, PackedLinear(child))
    return model


def _tensors(folder: Path, device: torch.device) -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor in the folder's files by its name, one at a time on `device`."""
    for shard in sorted(folder.glob("*.safetensors")):
        with safe_open(shard, "pt", device=str(device)) as file:
            for name in file.keys():  # noqa: SIM118
                yield name, file.get_tensor(name)


def _module(model: PreTrainedModel, path: str) -> nn.Module | None:
    """The module at `path`, with or without the name of the model below the head; None for what this one lacks."""
    prefix = f"{model.base_model_prefix}."
    for candidate in (path, path.removeprefix(prefix), prefix + path):
        try:
            return model.get_submodule(candidate)
        except AttributeError:
            continue
    return None


def _fill(module: PackedLinear, parts: dict[str, torch.Tensor], hosted: Hosted | None, name: str) -> bool:
    """Fill the module where all its parts are there; returns whether they were."""
    layer = nf4.quantise(parts["weight"]) if hosted is None else read_layer(parts, hosted, name)
    if layer is not None:
        module.fill(layer)
    return layer is not None


def _assign(module: nn.Module, last: str, tensor: torch.Tensor, dtype: torch.dtype, name: str) -> None:
    """Give a parameter or buffer of a module its numbers; a bias of zeros may come for a layer that has none."""
    if module._parameters.get(last) is not None:
        module._parameters[last] = nn.Parameter(tensor.to(dtype), requires_grad=False)
    elif module._buffers.get(last) is not None and last not in module._non_persistent_buffers_set:
        module._buffers[last] = tensor.to(module._buffers[last].dtype)
    elif last == "bias" and tensor.any():
        raise ValueError(f"{name} is not zero, and that layer has no bias: {FULL}")
