"""Puts LoRA adapters into a model, and keeps their 32-bit master copies for the optimiser."""

from collections.abc import Sequence
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel

from shared.folds import seed_of
from shared.settings import Lora


def add_lora(model: PreTrainedModel, settings: Lora, *, seed: str, recompute: bool) -> PeftModel:
    """`model` with new adapters of the model's dtype, the same on every process; everything else is frozen."""
    torch.manual_seed(seed_of(seed, "lora") % 2**63)
    config = LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout, target_modules=list(settings.targets)
    )
    adapted = get_peft_model(model, config, autocast_adapter_dtype=False)
    if recompute:
        adapted.enable_input_require_grads()
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return adapted


class Masters:
    """32-bit copies of the trained parameters: they collect the gradients and take the steps, the model follows.

    A 16-bit parameter would round away most of a step of 1e-4.
    """

    def __init__(self, model: torch.nn.Module):
        named = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
        self.names = [name for name, _ in named]
        self.live = [parameter for _, parameter in named]
        self.copies = [_copy(parameter) for parameter in self.live]

    def collect(self) -> None:
        """Add the model's gradients to the copies' and clear them."""
        for live, copy in zip(self.live, self.copies, strict=True):
            if live.grad is not None:
                copy.grad += live.grad.to(copy.dtype)
                live.grad = None

    def publish(self) -> None:
        """Give the copies' values to the model and clear the copies' gradients."""
        with torch.no_grad():
            for live, copy in zip(self.live, self.copies, strict=True):
                live.copy_(copy)
                copy.grad.zero_()

    def gradients(self) -> Sequence[torch.Tensor]:
        return [copy.grad for copy in self.copies]


def save_adapter(model: PeftModel, folder: Path) -> None:
    """Write the adapter in peft's own format (safetensors) to `folder`."""
    model.save_pretrained(folder, safe_serialization=True)


def _copy(parameter: torch.Tensor) -> torch.nn.Parameter:
    dtype = torch.float64 if parameter.dtype == torch.float64 else torch.float32
    copy = torch.nn.Parameter(parameter.detach().to(dtype, copy=True))
    copy.grad = torch.zeros_like(copy)
    return copy
