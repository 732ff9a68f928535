"""Puts LoRA adapters into a model, and keeps their 32-bit master copies for the optimiser."""

import json
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel

from inference.engines.transformers.low_bit.linear import is_low_bit
from shared.artifacts.files import replacing_folder, write_json
from shared.settings.sections import Lora
from shared.task.folds import seed_of
from training.trainer.bases.targets import find_targets
from training.trainer.loss_scale import LossScale


def add_lora(model: PreTrainedModel, settings: Lora, *, seed: str) -> PeftModel:
    """`model` with new adapters of the model's dtype, the same on every process; everything else is frozen.

    Raises ValueError as find_targets does.
    """
    targets = find_targets(model, settings.targets)
    if settings.dora and targets.turned:
        raise ValueError(f"lora.dora: a {model.config.model_type} stores its weights turned, take lora.dora=false")
    torch.manual_seed(seed_of(seed, "lora") % 2**63)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(targets.names),
        fan_in_fan_out=targets.turned,
        use_rslora=settings.rslora,
        use_dora=settings.dora,
    )
    adapted = get_peft_model(model, config, autocast_adapter_dtype=False)
    if is_low_bit(model):  # peft takes the precision of the weights, and bytes have none
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.to(model.dtype)
    return adapted


class Masters:
    """A 32-bit copy of all trained parameters, as one vector: it collects the gradients and takes the steps.

    The model's gradients are `scale` times as large, see loss_scale.py.

    A 16-bit parameter would round away most of a step of 1e-4; one vector is one message between the processes.
    """

    def __init__(self, model: torch.nn.Module):
        self.live = [parameter for parameter in model.parameters() if parameter.requires_grad]
        dtype = torch.promote_types(self.live[0].dtype, torch.float32)
        self.weights = torch.nn.Parameter(torch.cat([live.detach().flatten() for live in self.live]).to(dtype))
        self.weights.grad = torch.zeros_like(self.weights)
        self.scale = LossScale(self.live[0].dtype)

    def collect(self) -> None:
        """Add the model's gradients to the weights' and clear them."""
        for live, part in zip(self.live, self._parts(self.weights.grad), strict=True):
            if live.grad is not None:
                part.add_(live.grad, alpha=1 / self.scale.value)
                live.grad = None

    def forget_gradient(self) -> None:
        """Clear what an update that begins again has collected, and what it had not yet."""
        self.weights.grad.zero_()
        for live in self.live:
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
    """Put the adapter in `folder`, whole or not at all, in peft's own format (safetensors)."""
    with replacing_folder(folder) as partial:
        model.save_pretrained(partial, safe_serialization=True)
        path = partial / "adapter_config.json"
        said = json.loads(path.read_text(encoding="utf-8"))
        for name, value in vars(model.peft_config[model.active_adapter]).items():
            if isinstance(value, set):  # which peft writes in an order that changes from process to process
                said[name] = sorted(value)
        write_json(path, said)
