"""Says in which 4-bit format a folder's weights lie, and refuses those that are not read here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from transformers import PretrainedConfig

INSTEAD = "say --engine vllm, or take a model of 16 bits, or AWQ's (gemm) or GPTQ's of 4"


@dataclass(frozen=True)
class Hosted:
    """The format of a checkpoint of 4 bits."""

    method: Literal["awq", "gptq"]
    first_format: bool = False  # of GPTQ: zeros are stored less 1


def hosted_format(folder: Path, config: PretrainedConfig) -> Hosted | None:
    """The format of the model in `folder`; None for one that is not quantised.

    Raises ValueError for one that is quantised in a way that only vLLM reads.
    """
    said = getattr(config, "quantization_config", None)
    if not said:
        return None
    said = said if isinstance(said, dict) else said.to_dict()
    method, bits = said.get("quant_method"), said.get("bits", said.get("w_bit"))
    if method not in ("awq", "gptq"):
        raise ValueError(f"{folder} is quantised, which engine vllm reads ({method}): {INSTEAD}")
    if bits != 4:
        raise ValueError(f"{folder} is {method} in {bits} bits, and 4 are read here: {INSTEAD}")
    if method == "awq" and (version := str(said.get("version", "gemm")).lower()) != "gemm":
        raise ValueError(f"{folder} is in AWQ's format {version}: {INSTEAD}")
    return Hosted(method, method == "gptq" and said.get("checkpoint_format", "gptq") == "gptq")
