"""Puts LoRA adapters into a model, and keeps their 32-bit master copies for the optimiser."""

from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel

from shared.settings.sections import Lora
from shared.task.folds import seed_of


def add_lora(model: PreTrainedModel, settings: Lora, *, seed: str) -> PeftModel:
    """`model` with new adapters of the model's dtype, the same on every process; everything else is frozen."""
    torch.manual_seed(seed_of(seed, "lora") % 2**63)
    config = LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout, target_modules=list(settings.targets)
    )
    return get_peft_model(model, config, autocast_adapter_dtype=False)


class Masters:
    """A 32-bit copy of all trained parameters, as one vector: it collects the gradients and takes the steps.

    A 16-bit parameter would round away most of a step of 1e-4; one vector is one message between the processes.
    """

    def __init__(self, model: torch.nn.Module):
        self.live = [parameter for parameter in model.parameters() if parameter.requires_grad]
        dtype = torch.promote_types(self.live[0].dtype, torch.float32)
        self.weights = torch.nn.Parameter(torch.cat([live.detach().flatten() for live in self.live]).to(dtype))
        self.weights.grad = torch.zeros_like(self.weights)

    def collect(self) -> None:
        """Add the model's gradients to the weights' and clear them."""
        for live, part in zip(self.live, self._parts(self.weights.grad), strict=True):
            if live.grad is not None:
                part += live.grad
                live.grad = None

    def publish(self) -> None:
        """Give the values to the model and clear the gradient."""
        with torch.no_grad():
            for live, part in zip(self.live, self._parts(self.weights), strict=True):
                live.copy_(part)
            self.weights.grad.zero_()

    def _parts(self, vector: torch.Tensor) -> list[torch.Tensor]:
        parts = vector.split([live.numel() for live in self.live])
        return [part.view_as(live) for part, live in zip(parts, self.live, strict=True)]


def save_adapter(model: PeftModel, folder: Path) -> None:
    """Write the adapter in peft's own format (safetensors) to `folder`."""
    model.save_pretrained(folder, safe_serialization=True)
