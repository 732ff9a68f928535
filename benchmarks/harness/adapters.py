"""Gives every side's LoRA the same values, and compares the gradients that each side comes to."""

import re

import torch

from shared.task.folds import seed_of

PLACE = re.compile(r"layers\.(\d+)\.\w+\.(\w+)\.lora_([AB])")


def fill_adapters(model: torch.nn.Module) -> None:
    """Seeded values by the place in the model, so that two sides have the same ones; B is not 0, as after training."""
    with torch.no_grad():
        for name, weight in _adapters(model).items():
            generator = torch.Generator(weight.device).manual_seed(seed_of(name) % 2**63)
            scale = (3 * weight.shape[1]) ** -0.5 if name.endswith("A") else 0.02
            values = torch.randn(weight.shape, generator=generator, device=weight.device) * scale
            weight.copy_(values.bfloat16())  # some sides keep 32 bits, some 16: the values are the same


def clear_gradients(model: torch.nn.Module) -> None:
    for parameter in model.parameters():
        parameter.grad = None


def gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of every adapter's gradient, by its place in the model."""
    return {name: weight.grad.detach().float() for name, weight in _adapters(model).items()}


def cosine(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> float:
    """Of the two gradients as one long vector each, in 64 bits: of 137 million entries 32 bits made 1.05."""
    assert left.keys() == right.keys()
    dot, squares = 0.0, [0.0, 0.0]
    for name in left:
        dot += (left[name].double() * right[name].double()).sum().item()
        squares[0] += left[name].double().square().sum().item()
        squares[1] += right[name].double().square().sum().item()
    return dot / (squares[0] * squares[1]) ** 0.5


def _adapters(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    found = {}
    for name, parameter in model.named_parameters():
        if match := PLACE.search(name):
            found["/".join(match.groups())] = parameter
    return found
