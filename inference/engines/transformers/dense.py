"""Loads the dense layers that sentence-transformers folders have behind the pooling, and applies them."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import PreTrainedModel

from inference.engines.checks.files import AGAIN, tensor_shapes
from shared.artifacts.json_files import read_json
from shared.artifacts.sentence_folder import read_sentence_folder

NAME = "sentence_dense"  # of the layers, in the model
ACTIVATIONS = {"Identity": torch.nn.Identity, "Tanh": torch.nn.Tanh, "ReLU": torch.nn.ReLU, "GELU": torch.nn.GELU}


def load_dense(model: PreTrainedModel, folder: Path) -> None:
    """Give `model` the layers of its folder, where it has any; they are read by `behind_pooling` and never trained."""
    places = read_sentence_folder(folder).dense
    if places:
        layers = [layer for place in places for layer in _read(folder / place)]
        dtype = torch.promote_types(model.dtype, torch.float32)
        model.add_module(NAME, torch.nn.Sequential(*layers).to(model.device, dtype).eval().requires_grad_(False))


def behind_pooling(model: PreTrainedModel, pooled_ND: torch.Tensor) -> torch.Tensor:
    """What the dense layers make of pooled vectors [N, D], at least float32; without any, those themselves."""
    layers = dict(model.named_children()).get(NAME)
    return pooled_ND if layers is None else layers(pooled_ND)


def width_of(model: PreTrainedModel) -> int:
    """The width of a model's vectors."""
    layers = dict(model.named_children()).get(NAME)
    return model.config.hidden_size if layers is None else layers[-2].out_features


def _read(folder: Path) -> list[torch.nn.Module]:
    said, weights = read_json(folder / "config.json", AGAIN), folder / "model.safetensors"
    if said.get("use_residual"):
        raise ValueError(f"{folder}/config.json has a residual, which is not computed here: take another base")
    name = str(said.get("activation_function", "Tanh")).rpartition(".")[2]
    if name not in ACTIVATIONS:
        raise ValueError(f"{folder}/config.json has the activation {name}, and there are {', '.join(ACTIVATIONS)}")
    shape = tensor_shapes(weights).get("linear.weight")
    if shape is None or len(shape) != 2:
        raise ValueError(f"{weights} holds no linear.weight: {AGAIN}")
    tensors = load_file(weights)
    layer = torch.nn.Linear(shape[1], shape[0], bias="linear.bias" in tensors)
    layer.load_state_dict({name.removeprefix("linear."): tensor for name, tensor in tensors.items()})
    return [layer, ACTIVATIONS[name]()]
