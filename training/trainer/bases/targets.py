"""Finds the linear layers of a base that get an adapter, and refuses names that are none of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

ALL = "all-linear"


@dataclass(frozen=True)
class Targets:
    """Names of modules, or ends of such, and whether their weights are stored the other way round, as GPT-2's are."""

    names: tuple[str, ...]
    turned: bool = False


def find_targets(model: PreTrainedModel, asked: Sequence[str]) -> Targets:
    """The layers of `model` that are `asked` for, and those of a classifier's head, which is always trained.

    `asked` are ends of their names, or "all-linear" alone. Raises ValueError for one that no linear layer has, with the
    names there are; a model without numbers (device meta) will do.
    """
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, (torch.nn.Linear, Conv1D))}
    fixed = _fixed(model, layers)
    free = {name: layer for name, layer in layers.items() if name not in fixed}
    there = sorted({name.rpartition(".")[2] for name in free})
    if ALL in asked and len(asked) > 1:
        raise ValueError(f'lora.targets: "{ALL}" stands alone, and {list(asked)} has more: leave one of them out')
    wanted = there if ALL in asked else asked
    for target in wanted:
        if not _named(free, target):
            why = "is the head, which is kept as it is" if _named(fixed, target) else "is no linear layer of it"
            raise ValueError(
                f"lora.targets: {target!r} {why}; a {model.config.model_type} has {', '.join(there)}:"
                f' name some of these, or ["{ALL}"]'
            )
    names = tuple(dict.fromkeys([*wanted, *_trained_head(model, free)]))
    kinds = {isinstance(layer, Conv1D) for name in names for layer in _named(free, name).values()}
    if len(kinds) > 1:
        raise ValueError(f"lora.targets: {list(names)} are stored in two ways round: train them apart")
    return Targets(names, kinds.pop())


def _named(layers: dict[str, torch.nn.Module], target: str) -> dict[str, torch.nn.Module]:
    """Those of the layers whose name is `target` or ends with it, as peft compares them."""
    return {name: layer for name, layer in layers.items() if name == target or name.endswith(f".{target}")}


def _fixed(model: PreTrainedModel, layers: dict[str, torch.nn.Module]) -> dict[str, torch.nn.Module]:
    """What gives a decoder's answer: the head over the vocabulary, or the row that a merged reranker has for it."""
    heads = (model.get_output_embeddings(), getattr(model, "score", None))
    return {name: layer for name, layer in layers.items() if any(layer is head for head in heads)}


def _trained_head(model: PreTrainedModel, free: dict[str, torch.nn.Module]) -> list[str]:
    """The layers between a cross-encoder and its one label, by their whole names."""
    if not type(model).__name__.endswith("ForSequenceClassification"):
        return []
    base = f"{model.base_model_prefix}."
    return [name for name in free if not name.startswith(base) or name.startswith(f"{base}pooler.")]
