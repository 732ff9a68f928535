"""Says which base model a stage computes with, how large it is, and whether it is here, made here, or fetched."""

import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from inference.machine.profiles import load_profile
from shared.settings.sections import Embedder, Reranker, Settings, Writer
from shared.settings.texts import WRITING_ENGINES
from training.run_folder.base_models import MINILM, MODELS, SMOLLM2

HUB = re.compile(r"[\w.-]+/[\w.-]+(@[\w.-]+)?")
SIZE = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)[bB](?![a-z])")  # 14B of Qwen2.5-14B-Instruct
SMALL = {MINILM: 22.7e6, SMOLLM2: 134.5e6}  # parameters of what PyPI packages bring
EMBEDDING, LAYER = 28.3e6, 3.54e6  # of SmolLM2-135M, whose first N layers are a model too
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
LOW_BITS = 5.0  # with the embedding in 16 bits: 4.6 of Qwen2.5-14B, 5.5 of 7B with its head
GIB = 2**30
# stage: the sections of the settings that name its bases; "previous." is the iteration before
ROLES_OF = {
    **dict.fromkeys(("train_writer", "merge_writer", "explain", "describe"), ("writer",)),
    "mine_for_embedder": ("miner", "previous.embedder"),
    "teach_embedder": ("previous.reranker",),
    "train_embedder": ("embedder",),
    "merge_embedder": ("embedder",),
    "mine_for_reranker": ("embedder",),
    "teach_reranker": ("previous.reranker",),
    "train_reranker": ("reranker",),
    "train_teachers": ("reranker",),
    "merge_reranker": ("reranker",),
    "evaluate": ("embedder", "reranker"),
}


@dataclass(frozen=True)
class Base:
    """A base model that a stage computes with: `state` is "here", "made here" or "fetched"."""

    name: str
    state: str
    parameters: float  # 0.0: nobody knows before it is here
    dtype: str
    bits: float = 0.0  # that a parameter takes on average where some lie in 4; 0.0: those of the precision

    @property
    def gib(self) -> float:
        """Of its weights as they lie in memory; 0.0 where nobody knows."""
        return self.parameters * (self.bits / 8 or BYTES[self.dtype]) / GIB

    @property
    def whole_gib(self) -> float:
        """Of its weights in the precision of the rest, as merging writes them."""
        return self.parameters * BYTES[self.dtype] / GIB


def bases_of(stage: str, settings: Settings, previous: Settings | None) -> list[Base]:
    """The bases of a stage's models. Raises ValueError for one that is neither here nor to be had."""
    found = []
    replayed = stage in ("explain", "describe") and getattr(settings, stage).writer not in WRITING_ENGINES
    roles = () if replayed else ROLES_OF.get(stage, ())
    if stage == "teach_reranker" and settings.teach_reranker.teacher == "own_parts":
        roles = ("reranker",)
    for role in roles:
        owner = previous if role.startswith("previous.") else settings
        section = owner and getattr(owner, role.removeprefix("previous."))
        if section is not None:
            base = _base(role.removeprefix("previous."), section)
            low = _in_4_bits(stage, role, settings)
            found.append(replace(base, bits=LOW_BITS) if low else base)
    return list({base.name: base for base in found}.values())


def _in_4_bits(stage: str, role: str, settings: Settings) -> bool:
    """Whether a stage holds the base of a role in 4 bits: where it trains so, and where its own engine rounds it."""
    if stage.startswith("train_"):
        return role != "writer" and getattr(settings, role).weights != "full"
    reads = getattr(settings, stage, None)
    return getattr(reads, "engine", "") == "hf" and load_profile(settings.machine.profile).nf4


def _base(role: str, section: Embedder | Reranker | Writer) -> Base:
    folder, name = Path(section.base), section.base
    if folder.exists():
        parameters = _weights(folder.resolve()) / 4 * (4 if getattr(section, "weights", "full") == "packed" else 1)
        return Base(name, "here", parameters, section.dtype)
    if folder.parent == MODELS:
        if made := _made(folder.name):
            return Base(name, "made here", made, section.dtype)
    elif HUB.fullmatch(name) and not name.startswith("."):
        size = SIZE.search(name)
        return Base(name, _cached(name), float(size[1]) * 1e9 if size else 0.0, section.dtype)
    raise ValueError(f"{role}.base={name} is not there, and is no name of the Hugging Face hub: name another model")


def _made(name: str) -> float:
    """Parameters of a small model that a package brings; 0.0 where none does."""
    layers = name.partition(f"{SMOLLM2}-")[2]
    return EMBEDDING + int(layers) * LAYER if layers.isdecimal() else SMALL.get(name, 0.0)


@cache
def _weights(folder: Path) -> float:
    """Bytes that the weights in `folder` would have in 32 bits."""
    import json

    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):  # check_bases says what is wrong with it
        return 0.0
    kept = BYTES.get(config.get("dtype") or config.get("torch_dtype") or "float32", 4)
    return sum(path.stat().st_size for path in folder.glob("*.safetensors")) * 4 / kept


def cached_config(name: str) -> Path | None:
    """The config.json of a model of the hub that was fetched before; None of one that was not."""
    from huggingface_hub import try_to_load_from_cache

    repository, _, revision = name.partition("@")
    found = try_to_load_from_cache(repository, "config.json", revision=revision or None)
    return Path(found) if isinstance(found, str) else None


@cache
def _cached(name: str) -> str:
    return "here" if cached_config(name) else "fetched"
