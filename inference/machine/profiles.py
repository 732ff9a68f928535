"""Reads profiles.toml: what each kind of machine can hold and compute. No machine is asked what it is."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.settings.sections import Scheme

PROFILES = Path(__file__).with_name("profiles.toml")


class Profile(BaseModel):
    """One section of profiles.toml, where every value has its reason beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    device: Literal["cuda", "cpu"]
    dtype: Literal["float32", "bfloat16", "float16"]
    batch_tokens: Annotated[int, Field(ge=1)]  # tokens computed together, padding included
    packed: bool = False  # decoders through FlexAttention and compiled layers, without padding
    fp8: bool = False  # linear layers of packed models in 8 bits
    nf4: bool = False  # linear layers of decoders in 4 bits, rounded as they load; engine hf
    max_tokens: Annotated[int, Field(ge=1)]  # longest prompt
    replicas: Annotated[int, Field(ge=0)] = 1  # processes with a copy of the model each; 0: one for each GPU there is
    tensor_parallel: Annotated[int, Field(ge=1)] = 1  # GPUs that share a model which one cannot hold
    attention: str = ""  # vLLM's kernel for it; "": vLLM chooses
    eager: bool = False  # vLLM compiles nothing
    weights: Literal["auto", "dummy"] = "auto"  # dummy: vLLM makes them up, where only its speed is measured
    memory_share: Annotated[float, Field(gt=0, le=1)] = 0.9  # of each GPU, for weights and KV cache
    cache_gib: Annotated[float, Field(gt=0)] = 1.0  # KV cache on the CPU
    threads: Annotated[int, Field(ge=1)] = 1  # of the CPU engines
    scheme: Literal[""] | Scheme = ""  # that models which do not fit are quantised with
    gpu: str = ""  # word in the name of each GPU that the Kaggle kernel insists on
    gpus: Annotated[int, Field(ge=0)] = 0  # how many of them
    gpu_gib: Annotated[float, Field(ge=0)] = 0.0  # memory of each: a writer that does not fit one is split; 0: unknown
    machine_shape: str = ""  # Kaggle's name of that machine


def profile_names() -> list[str]:
    """The profiles there are."""
    return list(tomllib.loads(PROFILES.read_text(encoding="utf-8")))


def load_profile(name: str) -> Profile:
    """The profile called `name`. Raises ValueError naming the profiles there are, or the bad key."""
    profiles = tomllib.loads(PROFILES.read_text(encoding="utf-8"))
    if name not in profiles:
        raise ValueError(f"there is no profile {name!r} in {PROFILES.name}; there are: {', '.join(profiles)}")
    try:
        return Profile.model_validate(profiles[name])
    except ValidationError as errors:
        error = errors.errors()[0]
        raise ValueError(f"{PROFILES.name}: {name}.{'.'.join(map(str, error['loc']))}: {error['msg']}") from None
