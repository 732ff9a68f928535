"""Reads the configuration of an adapter, and refuses what merging does not know or training did not make."""

import math
from collections.abc import Collection
from pathlib import Path

import torch
from safetensors.torch import load_file

from inference.engines.checks.files import Shape
from shared.artifacts.json_files import read_json
from shared.settings.sections import Lora

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
PREFIX = "base_model.model."  # of every module's path, in peft's words
SIZES = ".lora_magnitude_vector"  # behind a module's path, where there is DoRA
AGAIN = "train it again"
# Layers of a cross-encoder's head, which get an adapter whatever is asked for.
HEADS = frozenset(
    ("classifier", "classifier.dense", "classifier.out_proj", "pre_classifier", "pooler.dense", "head.dense")
)
# What changes W + alpha / rank * B A to something else; training/trainer/lora.py sets none of them.
OTHER_FORMS = (
    *("rank_pattern", "alpha_pattern", "modules_to_save", "lora_bias"),
    *("layer_replication", "trainable_token_indices", "target_parameters", "use_qalora", "megatron_config"),
)


def read_adapter_config(adapter: Path) -> dict:
    """The adapter's configuration. Raises ValueError for a damaged one, and for an adapter of another form."""
    path = adapter / CONFIG
    config = read_json(path, AGAIN)
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if type(rank) is not int or rank < 1:
        raise ValueError(f"{path}: r is {rank!r}, not a whole number from 1 on: {AGAIN}")
    if type(alpha) not in (int, float) or not math.isfinite(alpha) or alpha <= 0:
        raise ValueError(f"{path}: lora_alpha is {alpha!r}, not a number above 0: {AGAIN}")
    if config.get("peft_type") != "LORA":
        raise ValueError(f"{path}: peft_type is {config.get('peft_type')!r}, not LORA: {AGAIN}")
    for name in OTHER_FORMS:
        if config.get(name):
            raise ValueError(f"{path}: {name} is {config[name]!r}, which merging does not know: {AGAIN}")
    if config.get("bias", "none") != "none":
        raise ValueError(f"{path}: bias is {config['bias']!r}, which merging does not know: {AGAIN}")
    return config


def scale_of(config: dict) -> float:
    """What the product of an adapter's factors is multiplied by."""
    return config["lora_alpha"] / (math.sqrt(config["r"]) if config.get("use_rslora") else config["r"])


def check_factors(adapter: Path, config: dict, paths: Collection[str], shapes: dict[str, Shape]) -> None:
    """Raise ValueError unless the file holds A [rank, in] and B [out, rank] of each module, and nothing else.

    With DoRA there are the sizes [out] of each module's outputs too.
    """
    path, rank = adapter / WEIGHTS, config["r"]
    factors = {f"{module}.lora_{letter}.weight" for module in paths for letter in "AB"}
    sizes = {f"{module}{SIZES}" for module in paths} if config.get("use_dora") else set()
    if odd := sorted((factors | sizes) ^ shapes.keys()) or ([] if paths else ["nothing"]):
        raise ValueError(f"{path} holds {odd[0]} without what belongs to it: {AGAIN}")
    for name in sorted(factors):
        shape = shapes[name]
        if len(shape) != 2 or shape[0 if ".lora_A." in name else 1] != rank:
            raise ValueError(f"{path}: {name} is {list(shape)}, and r of {CONFIG} is {rank}: {AGAIN}")


def check_trained(adapter: Path, lora: Lora | None) -> None:
    """Raise ValueError for an adapter that these settings (where known) do not train, and for one without numbers."""
    config, path, asked = read_adapter_config(adapter), adapter / CONFIG, {}
    if lora is not None:
        asked = {"r": lora.rank, "lora_alpha": lora.alpha, "use_rslora": lora.rslora, "use_dora": lora.dora}
        if lora.targets != ("all-linear",):
            asked["target_modules"] = sorted(lora.targets)
    for name, wanted in asked.items():
        found = config.get(name)
        found = sorted(set(found) - (HEADS - set(lora.targets))) if isinstance(found, list) else found
        if found != wanted:
            raise ValueError(f"{path}: {name} is {found}, and the settings train {wanted}: {AGAIN}")
    tensors = load_file(adapter / WEIGHTS)
    for name, tensor in sorted(tensors.items()):
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{adapter / WEIGHTS}: {name} holds NaN or infinity: {AGAIN}, with a lower rate")
