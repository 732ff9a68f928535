"""Reads the layers of AWQ and GPTQ checkpoints of 4 bits, and gives their weights back to the bit as AutoAWQ does.

A weight is (q - zero) * scale in the precision of the scale, with a zero and a scale for every group of inputs. Both
formats are brought into one layout when they are loaded, with the outputs in front, as PyTorch has them.
Source: AutoAWQ 0.2.9, awq/utils/packing_utils.py; GPTQModel 7.7, utils/model.py (format v1 stores zero - 1).

Shapes: I inputs, O outputs, G groups of inputs. Hosted tensors have 8 numbers in each int32, the first in the lowest
bits.
"""

from typing import NamedTuple

import torch

from inference.engines.transformers.low_bit.nibbles import for_device, pack, unpack

AWQ_ORDER = (0, 4, 1, 5, 2, 6, 3, 7)  # where in an int32 of AWQ each of 8 columns stands, which has 0 2 4 6 1 3 5 7


class Integers(NamedTuple):
    """A layer's weights in 4 bits."""

    packed: torch.Tensor  # [O, I / 2] uint8, the first of two weights in the high half
    scales: torch.Tensor  # [O, G], in 16 bits
    zeros: torch.Tensor  # [O, G] uint8
    groups: torch.Tensor  # [I] int32: the group of each input; [0] where they follow one another


def dequantise(parts: Integers, dtype: torch.dtype) -> torch.Tensor:
    """The weights [O, I] in `dtype`."""
    return for_device(_times, parts.packed.device)(*parts).to(dtype)  # one kernel would round once, not twice


def from_awq(qweight: torch.Tensor, qzeros: torch.Tensor, scales: torch.Tensor) -> Integers:
    """A layer of AWQ's format "gemm": [I, O / 8] and [G, O / 8] int32, scales [G, O]."""
    numbers_IO, zeros_GO = (_columns(part, AWQ_ORDER) for part in (qweight, qzeros))
    return _laid_out(numbers_IO, zeros_GO, scales, scales.new_empty(0, dtype=torch.int32))


def from_gptq(
    qweight: torch.Tensor, qzeros: torch.Tensor, scales: torch.Tensor, groups: torch.Tensor, *, first_format: bool
) -> Integers:
    """A layer of GPTQ: [I / 8, O] and [G, O / 8] int32, scales [G, O], groups [I]; the first format has zeros - 1."""
    numbers_IO, zeros_GO = _columns(qweight.T, range(8)).T, _columns(qzeros, range(8))
    if first_format:
        zeros_GO = zeros_GO + 1  # 16 where 15 is stored, as vLLM and AutoGPTQ compute it
    in_order = torch.arange(len(groups), device=groups.device) // (len(groups) // len(scales))
    kept = groups[:0] if torch.equal(groups.long(), in_order) else groups
    return _laid_out(numbers_IO, zeros_GO, scales, kept.int())


def _laid_out(
    numbers_IO: torch.Tensor, zeros_GO: torch.Tensor, scales_GO: torch.Tensor, groups: torch.Tensor
) -> Integers:
    return Integers(pack(numbers_IO.T.contiguous()), scales_GO.T.contiguous(), zeros_GO.T.contiguous(), groups)


def _columns(packed: torch.Tensor, order: range | tuple[int, ...]) -> torch.Tensor:
    """[n, m / 8] int32 -> [n, m] uint8; the column c of 8 stands at 4 * order[c]."""
    parts = [(packed >> 4 * place & 15).to(torch.uint8) for place in order]
    return torch.stack(parts, dim=-1).flatten(-2)


def _times(
    packed_OI2: torch.Tensor, scales_OG: torch.Tensor, zeros_OG: torch.Tensor, groups: torch.Tensor
) -> torch.Tensor:
    numbers_OI = unpack(packed_OI2).to(torch.int8)
    if len(groups):
        return (numbers_OI - zeros_OG.to(torch.int8)[:, groups]) * scales_OG[:, groups]
    numbers_OGg = numbers_OI.view(*scales_OG.shape, -1)
    return ((numbers_OGg - zeros_OG.to(torch.int8).unsqueeze(2)) * scales_OG.unsqueeze(2)).flatten(1)
