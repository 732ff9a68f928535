"""What a side of a comparison offers to be measured: a way to train on a batch, to score pairs, or to encode rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

Rows = Sequence[Sequence[int]]
RANK, ALPHA = 32, 64
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
TEMPERATURE = 0.02


@dataclass(frozen=True)
class Trainer:
    """`step(prepare(groups))` adds the gradient of the groups' mean loss to the model's adapters, and returns the loss.

    What `prepare` does (tokenising, padding, the copy to the device) is not timed.
    """

    model: torch.nn.Module
    prepare: Callable[[Sequence], object]
    step: Callable[[object], torch.Tensor]


def cut(items: Sequence, size: int) -> list[Sequence]:
    """Consecutive parts of `size` items; the last may be shorter."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def pad_left(rows: Sequence[Sequence[int]], device: torch.device, multiple: int = 1) -> dict[str, torch.Tensor]:
    """Ids and attention mask [B, T] of rows that end in the last column."""
    width = -(-max(map(len, rows)) // multiple) * multiple
    ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return {"input_ids": ids.to(device), "attention_mask": mask.to(device)}
