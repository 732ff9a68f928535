"""Makes one layer of what AWQ's and GPTQ's checkpoints store of it under several names."""

from collections.abc import Mapping

import torch

from inference.engines.checks.quantised import Hosted
from inference.engines.transformers.low_bit.integers import Integers, from_awq, from_gptq

PARTS = {"awq": ("qweight", "qzeros", "scales"), "gptq": ("qweight", "qzeros", "scales", "g_idx")}


def read_layer(parts: Mapping[str, torch.Tensor], hosted: Hosted, name: str) -> Integers | None:
    """The layer whose tensors are `parts`; None while one of them is not there yet.

    Raises ValueError for a tensor that such a layer has not, such as the weight of one that was left in 16 bits; `name`
    is that of the last one.
    """
    wanted = PARTS[hosted.method]
    if odd := sorted(parts.keys() - set(wanted)):
        raise ValueError(f"{name}: {odd[0]} is no part of a layer in {hosted.method}, and none is left in 16 bits here")
    if len(parts) < len(wanted):
        return None
    tensors = [parts[part] for part in wanted]
    return from_awq(*tensors) if hosted.method == "awq" else from_gptq(*tensors, first_format=hosted.first_format)
