"""Says which families vLLM 0.32 does not open, or computes otherwise than transformers does (docs/bases.md)."""

from pathlib import Path
from typing import Literal

from inference.engines.checks.files import read_config

Role = Literal["retriever", "reranker"]
NOT_OPENED: dict[Role, frozenset[str]] = {  # by a config's model_type
    "retriever": frozenset({"deberta-v2", "distilbert", "lfm2", "modernbert-decoder", "mpnet", "xlm-roberta"}),
    "reranker": frozenset({"bloom", "deberta-v2", "distilbert", "gemma3_text", "ministral", "mpnet"}),
}


def check_vllm(folder: Path, role: Role) -> None:
    """Raise ValueError for a model that vLLM refuses, or whose answers there are another model's."""
    said = read_config(folder)
    kind = said.get("model_type")
    both_ways = said.get("use_bidirectional_attention") is True or said.get("is_causal") is False
    if kind == "cohere2" or (kind == "gemma3_text" and said.get("use_bidirectional_attention") is True):
        raise ValueError(  # by 0.02 and 0.3 in a unit vector
            f"{folder} is a {kind}, whose attention vLLM 0.32 computes otherwise than the model has it: use engine hf"
        )
    if kind in NOT_OPENED[role] or (role == "reranker" and kind == "qwen2" and both_ways):
        raise ValueError(f"{folder} is a {kind}, which vLLM 0.32 does not open as a {role}: use engine hf")
