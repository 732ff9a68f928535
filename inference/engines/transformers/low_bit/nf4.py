"""Rounds weights to NF4, 4 bits each, and gives them back to the bit as bitsandbytes does.

Every 64 weights share a scale, the largest size among them; a weight over its scale becomes the nearest of 16 numbers.
The scales are kept in 8 bits (double quantisation): less their mean, in blocks of 256 with a scale of their own, as the
nearest of 256 numbers. That makes 4 + 8 / 64 + 32 / (64 * 256) = 4.127 bits a weight.
In rounding, up to 33 of 13,824 scales became another one of the 256 than in bitsandbytes' library for CPUs.
Source: QLoRA, arXiv 2305.14314; bitsandbytes 0.50.2, functional.py and backends/default/ops.py.

Shapes: W weights of a layer, S = W / 64 scales.
"""

from functools import cache
from typing import NamedTuple

import torch

from inference.engines.transformers.low_bit.nibbles import for_device, pack, unpack

BLOCK, SCALES_BLOCK = 64, 256
BITS = 4 + 8 / BLOCK + 32 / (BLOCK * SCALES_BLOCK)
CHUNK = BLOCK << 16  # weights that are rounded at once: what that takes beside them stays small
# The means of 16 parts of a normal distribution that are equally likely, between -1 and 1, with a 0.
CODE = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
    *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
    *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
    *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
)


class Nf4(NamedTuple):
    """A layer's weights in 4 bits."""

    packed: torch.Tensor  # [W / 2] uint8, the first of two weights in the high half
    scales: torch.Tensor  # [S] uint8
    outer: torch.Tensor  # [S / 256, rounded up] float32: the scales' own scales
    offset: torch.Tensor  # [] float32: the scales' mean


def quantise(weight: torch.Tensor) -> Nf4:
    """The nearest NF4 of `weight`, of any shape and precision. Raises ValueError unless W is a multiple of 64."""
    flat_W = weight.detach().reshape(-1)
    if flat_W.numel() % BLOCK:
        raise ValueError(f"{list(weight.shape)} weights cannot be cut into blocks of {BLOCK}")
    parts = [_round(chunk.float().view(-1, BLOCK)) for chunk in flat_W.split(CHUNK)]
    packed_W2, scales_S = (torch.cat(part) for part in zip(*parts, strict=True))
    offset = scales_S.mean()
    return Nf4(packed_W2, *_quantise_scales(scales_S - offset), offset)


def dequantise(parts: Nf4, dtype: torch.dtype) -> torch.Tensor:
    """The weights [W] in `dtype`."""
    device = parts.packed.device
    return for_device(_times, device)(parts.packed, dequantise_scales(parts), _code(device), dtype)


def dequantise_scales(parts: Nf4) -> torch.Tensor:
    """[S] float32."""
    outer_S = parts.outer.repeat_interleave(SCALES_BLOCK)[: len(parts.scales)]
    return scale_code(parts.scales.device)[parts.scales.int()] * outer_S + parts.offset


@cache
def scale_code(device: torch.device) -> torch.Tensor:
    """The 256 numbers [256] that a scale may be, in order: as many near 0 as near 1, by size of the exponent."""
    values = [0.0, 1.0]
    for exponent in range(7):
        edges = torch.linspace(0.1, 1, 2**exponent + 1, dtype=torch.float32)
        means = 10.0 ** (exponent - 6) * ((edges[:-1] + edges[1:]) / 2.0)
        values += [*means.tolist(), *(-means).tolist()]
    return torch.tensor(sorted(values), dtype=torch.float32, device=device)


@cache
def _code(device: torch.device) -> torch.Tensor:
    return torch.tensor(CODE, dtype=torch.float32, device=device)


def _round(blocks_SB: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The packed numbers and the scales of blocks [S, 64] float32."""
    scales_S = blocks_SB.abs().amax(1)
    return pack(_nearest(blocks_SB, scales_S, _code(blocks_SB.device))), scales_S


def _quantise_scales(scales_S: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The numbers [S] uint8 of scales less their mean, and the blocks' own scales."""
    padded = torch.nn.functional.pad(scales_S, (0, -len(scales_S) % SCALES_BLOCK)).view(-1, SCALES_BLOCK)
    outer = padded.abs().amax(1)
    return _nearest(padded, outer, scale_code(scales_S.device))[: len(scales_S)], outer


def _nearest(blocks: torch.Tensor, largest: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
    """The place in `code` [.] uint8 of each number of blocks [n, b] over the largest [n] of its block."""
    scaled = (blocks * (1.0 / largest.clamp(min=1e-38)).unsqueeze(1)).clamp(-1, 1)
    return torch.bucketize(scaled.flatten(), (code[:-1] + code[1:]) / 2, out_int32=True).to(torch.uint8)


def _times(packed_W2: torch.Tensor, scales_S: torch.Tensor, code: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    values_SB = code[unpack(packed_W2).int()].view(-1, BLOCK)
    return (values_SB * scales_S.unsqueeze(1)).to(dtype).flatten()
