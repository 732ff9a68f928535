"""Writes a base that is hosted in 4 bits as one of 16, number for number, so that an adapter can be merged into it."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file

from inference.engines.checks.files import INDEX, read_architecture
from inference.engines.checks.model import load_config
from inference.engines.checks.quantised import Hosted, hosted_format
from inference.engines.transformers.low_bit import integers
from inference.engines.transformers.low_bit.hosted import PARTS, read_layer
from training.export.merge import LEFT_OUT


@contextmanager
def in_16_bits(base: Path, place: Path) -> Iterator[Path]:
    """The base itself, or where it is hosted in 4 bits, a copy of it of 16, which lies in `place` for as long."""
    if hosted_format(base, load_config(base)) is None:
        yield base
        return
    write_dense(base, place)
    try:
        yield place
    finally:
        shutil.rmtree(place)


def write_dense(base: Path, out: Path) -> None:
    """Fill `out` with the model in `base`, whose layers become the weights that they stand for, in their scales' type.

    One shard is in memory; what a layer still lacks at its end is kept for the next.
    """
    hosted = hosted_format(base, load_config(base))
    shutil.copytree(
        base, out, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*LEFT_OUT), copy_function=shutil.copyfile
    )
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    del config["quantization_config"]
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    waiting: dict[str, dict[str, torch.Tensor]] = {}
    places: dict[str, str] = {}
    known = _names(base)
    for shard in sorted(base.glob("*.safetensors")):
        tensors = {
            name: tensor
            for name, tensor in _dense_tensors(shard, hosted, waiting)
            if name in known or not name.endswith(".bias") or tensor.any()  # some writers give every layer a bias of 0
        }
        save_file(tensors, out / shard.name, metadata={"format": "pt"})
        places |= dict.fromkeys(tensors, shard.name)
    if waiting:
        raise ValueError(f"{base} lacks a part of {next(iter(waiting))}: fetch it again")
    if (out / INDEX).is_file():
        size = sum(path.stat().st_size for path in out.glob("*.safetensors"))
        said = {"metadata": {"total_size": size}, "weight_map": dict(sorted(places.items()))}
        (out / INDEX).write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")


def _dense_tensors(
    shard: Path, hosted: Hosted, waiting: dict[str, dict[str, torch.Tensor]]
) -> Iterator[tuple[str, torch.Tensor]]:
    """The shard's tensors by name, with a weight in place of a layer's parts; `waiting` are layers without some."""
    with safe_open(shard, "pt") as file:
        for name in file.keys():  # noqa: SIM118
            path, _, last = name.rpartition(".")
            if last not in PARTS[hosted.method]:
                yield name, file.get_tensor(name)
                continue
            parts = waiting.setdefault(path, {})
            parts[last] = file.get_tensor(name)
            if (layer := read_layer(parts, hosted, name)) is not None:
                yield f"{path}.weight", integers.dequantise(layer, layer.scales.dtype)
                del waiting[path]


def _names(base: Path) -> set[str]:
    """What the tensors of a model like that in `base` are called when it is not quantised."""
    own, config = getattr(transformers, read_architecture(base)), load_config(base)
    with torch.device("meta"):
        return {name for name, _ in own(config).named_parameters()}
