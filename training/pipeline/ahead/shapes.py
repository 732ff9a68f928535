"""Says of what shape a base is, from its config.json alone: in a folder, fetched before, or as it was published."""

import re
from dataclasses import dataclass
from pathlib import Path

from inference.machine.hardware import Model, model_of
from shared.artifacts.json_files import read_json
from shared.artifacts.sentence_folder import ENCODERS
from training.pipeline.ahead.bases import HUB, cached_config

AGAIN = "fetch or make the model again"
EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")  # one of them stands in a config of experts
VARIANT = re.compile(r"(-Instruct)?(-AWQ|-GPTQ-Int4)?(@[\w.-]+)?$")  # of one shape, whichever its numbers are
COLUMNS = ("num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads")
PUBLISHED = {  # of config.json on the hub, so that nobody fetches 30 GB to be told that they do not fit
    "Qwen/Qwen2.5-7B": (28, 3584, 18944, 28, 4),
    "Qwen/Qwen2.5-14B": (48, 5120, 13824, 40, 8),
    "Qwen/Qwen2.5-32B": (64, 5120, 27648, 40, 8),
}
QWEN = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "dtype": "bfloat16", "vocab_size": 152064}


@dataclass(frozen=True)
class Shape:
    """Of a base: its layers, and what stands beside them."""

    model: Model
    vocabulary: int  # tokens that the embedding has rows of
    head: bool  # whether it has a head of its own, as large as the embedding: a language model's
    unlike: str  # "an encoder", "a mixture of experts": its layers are not those whose memory is computed; "" of others

    @property
    def linears(self) -> list[tuple[int, int]]:
        """Inputs and outputs of the linear layers of one decoder layer, with a gate beside the way up."""
        one = self.model
        queries, keys = one.heads * one.head_width, one.kv_heads * one.head_width
        attention = [(one.width, queries), (one.width, keys), (one.width, keys), (queries, one.width)]
        return [*attention, (one.width, one.inner), (one.width, one.inner), (one.inner, one.width)]

    @property
    def layer_weights(self) -> int:
        """Numbers in the linear layers of one decoder layer."""
        return sum(inputs * outputs for inputs, outputs in self.linears)


def shape_of(base: str) -> Shape | None:
    """The shape of `base`, a folder or a name of the hub; None where nobody knows before it is here.

    Raises ValueError for a folder that holds no config.json, or one of a model that is no transformer.
    """
    folder = Path(base) if Path(base).is_dir() else _cached(base)
    if folder is not None:
        if not (folder / "config.json").is_file():
            raise ValueError(f"{folder} holds no config.json, so it is no model: `just train` makes one")
        return _read(read_json(folder / "config.json", AGAIN), folder)
    numbers = PUBLISHED.get(VARIANT.sub("", base))
    return _read(QWEN | dict(zip(COLUMNS, numbers, strict=True)), Path(base)) if numbers else None


def _cached(base: str) -> Path | None:
    """The folder in the hub's cache that holds the config.json of `base`; None where it was never fetched."""
    found = cached_config(base) if HUB.fullmatch(base) and not base.startswith(".") else None
    return found and found.parent


def _read(config: dict, folder: Path) -> Shape:
    classifier = str((config.get("architectures") or [""])[0]).endswith("ForSequenceClassification")
    kinds = [("an encoder", config.get("model_type") in ENCODERS)]
    kinds += [("a mixture of experts", any(config.get(key) for key in EXPERTS))]
    unlike = next((name for name, found in kinds if found), "")
    head = not (classifier or unlike == "an encoder") and not config.get("tie_word_embeddings", False)
    return Shape(model_of(config, folder), config.get("vocab_size", 0), head, unlike)
