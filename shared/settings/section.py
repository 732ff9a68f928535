"""Says what every section of the settings is: frozen, strict, and with the reason for a default as its description."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.task.splits import SPLITS, holds_out

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Precision = Literal["float32", "bfloat16", "float16"]
Weights = Literal["full", "nf4", "packed"]
Engine = Literal["hf", "vllm"]
Scheme = Literal["awq", "gptq", "fp8"]
HeldOutSplit = Literal[tuple(filter(holds_out, SPLITS))]


class Section(BaseModel):
    """A section of the settings. The sentence below a key is its description, which docs/configuration.md shows."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
