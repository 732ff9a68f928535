"""Says before a model is loaded whether it can write, without any heavy import."""

import json
from pathlib import Path

WRITE = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")  # how the classes of models with a head end
RANKS = (8, 16, 32, 64, 128, 256, 512)  # of adapters, for which vLLM has kernels


def check_writer(folder: Path, adapter: Path | None = None) -> None:
    """Raise ValueError for a folder whose model cannot write, and for an adapter that does not load."""
    path = folder / "config.json"
    if not path.is_file():
        raise ValueError(f"{path} does not exist: a writer is a folder of a causal language model")
    names = json.loads(path.read_text(encoding="utf-8")).get("architectures") or [""]
    if not names[0].endswith(WRITE):
        raise ValueError(f"{folder} holds a {names[0] or 'model'}, which has no head to write with: take its base")
    if adapter is not None:
        adapter_rank(adapter)


def adapter_rank(adapter: Path) -> int:
    """The rank of a LoRA adapter. Raises ValueError for one with more than LoRA weights."""
    path = adapter / "adapter_config.json"
    if not path.is_file():
        raise ValueError(f"{path} does not exist: {adapter} holds no adapter")
    config = json.loads(path.read_text(encoding="utf-8"))
    if whole := config.get("modules_to_save"):
        raise ValueError(
            f"{adapter} brings whole modules along ({', '.join(whole)} in modules_to_save), which vLLM does not load: "
            "merge it into its base, or train one without"
        )
    if config["r"] > RANKS[-1]:
        raise ValueError(f"{adapter} has rank {config['r']}, vLLM loads up to {RANKS[-1]}: merge it into its base")
    return config["r"]
