"""Gives an encoder that has none yet the head of a classifier, drawn by the names of its tensors."""

from collections.abc import Collection

import torch
from transformers import PreTrainedModel

from shared.task.folds import seed_of

STD = 0.02  # of new weights, where the family's configuration does not say it


def fill_head(model: PreTrainedModel, names: Collection[str]) -> None:
    """Draw the weights called `names` in place, and set biases to 0 and norms to 1: the same on every process."""
    tensors = dict(model.named_parameters())
    std = getattr(model.config, "initializer_range", STD)
    with torch.no_grad():
        for name in names:
            tensor = tensors[name]
            if tensor.dim() < 2:
                tensor.fill_(0.0 if name.endswith("bias") else 1.0)
                continue
            generator = torch.Generator().manual_seed(seed_of("new head", name) % 2**63)
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * std)
