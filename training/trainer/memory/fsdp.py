"""Spreads a frozen base over the processes' GPUs (FSDP2), for models that one GPU cannot hold; adapters stay whole.

Every process gathers one layer at a time, so all of them have to run the same number of forward passes.
"""

import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from transformers import PreTrainedModel

from inference.engines.distributed import world


def shard_base(model: PreTrainedModel, device: torch.device) -> None:
    """Spread, in place, every frozen weight of `model` but its head; what is trained is moved to `device` as it is."""
    mesh = init_device_mesh(device.type, (world(),))
    head = model.get_output_embeddings()  # of a reranker; one row of it is read
    kept = {parameter for parameter in model.parameters() if parameter.requires_grad}
    kept |= set(head.parameters()) if head is not None else set()
    for parameter in kept:
        parameter.data = parameter.data.to(device)
    for layer in model.base_model.layers:
        fully_shard(layer, mesh=mesh, ignored_params=kept)
    fully_shard(model.base_model, mesh=mesh, ignored_params=kept)


def is_spread(model: torch.nn.Module) -> bool:
    """Whether the base of `model` is spread: a process that fails within a pass leaves the others waiting for it."""
    return any(isinstance(module, FSDPModule) for module in model.modules())
