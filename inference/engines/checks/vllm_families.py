"""Says which families vLLM 0.32 computes otherwise than transformers does, as docs/bases.md measured it."""

from pathlib import Path

from inference.engines.checks.files import read_config


def check_vllm(folder: Path) -> None:
    """Raise ValueError for a model whose answers of vLLM are another model's: by 0.02 and 0.3 in a unit vector."""
    said = read_config(folder)
    kind = said.get("model_type")
    if kind == "cohere2" or (kind == "gemma3_text" and said.get("use_bidirectional_attention") is True):
        raise ValueError(
            f"{folder} is a {kind}, whose attention vLLM 0.32 computes otherwise than the model has it: use engine hf"
        )
