"""Puts two numbers of 4 bits into a byte, the first in the high half, and takes them out again."""

from collections.abc import Callable
from functools import cache

import torch


def for_device(function: Callable[..., torch.Tensor], device: torch.device) -> Callable[..., torch.Tensor]:
    """`function`, for a GPU as one kernel: it reads half a byte and writes two for a weight, where steps move 25."""
    return _compiled(function) if device.type == "cuda" else function


@cache
def _compiled(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    return torch.compile(function)


def pack(numbers: torch.Tensor) -> torch.Tensor:
    """[..., n] uint8 from 0 to 15 -> [..., n / 2] uint8."""
    return numbers[..., ::2] << 4 | numbers[..., 1::2]


def unpack(packed: torch.Tensor) -> torch.Tensor:
    """[..., n / 2] uint8 -> [..., n] uint8 from 0 to 15."""
    return torch.stack([packed >> 4, packed & 15], dim=-1).flatten(-2)
