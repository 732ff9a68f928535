"""Counts the arithmetic and the bytes that writing needs at least, and how long a GPU takes for each at its best."""

from dataclasses import dataclass

from benchmarks.harness.floor import BEST_FLOPS_PER_SECOND
from benchmarks.inputs.shapes import Shape

BYTES = 2  # of a weight and of a number in the cache: bfloat16
BYTES_PER_SECOND = {"H200": 4.8e12, "H100": 3.35e12}  # of the SXM cards' memory, as NVIDIA says


@dataclass(frozen=True)
class Load:
    """Prompts of equal length that begin alike, and texts of equal length behind them."""

    prompts: int
    constant_tokens: int  # of each prompt, the same for all
    prompt_tokens: int
    text_tokens: int


@dataclass(frozen=True)
class Floor:
    """Seconds that the arithmetic alone takes, and the reading of weights and cache alone."""

    flops: float
    bytes: float


def floor_of(shape: Shape, load: Load, together: int, device: str) -> Floor:
    """The floor with `together` texts in work at once: so many share a reading of the weights.

    Every token of a prompt is computed once, what all share once for all; every written token goes through the head,
    and reads what attention kept of those in front of it. Attention's own arithmetic (under 2 %) is left out.
    """
    read = load.constant_tokens + load.prompts * (load.prompt_tokens - load.constant_tokens)
    written = load.prompts * load.text_tokens
    flops = 2 * shape.body * (read + written) + 2 * shape.head * written
    rounds = -(-load.prompts // together) * load.text_tokens
    before = load.prompt_tokens + (load.text_tokens - 1) / 2  # tokens in front of a written one, on average
    moved = BYTES * (rounds * (shape.body + shape.head) + written * before * shape.cached)
    speed = next((speed for name, speed in BYTES_PER_SECOND.items() if name in device), BYTES_PER_SECOND["H100"])
    return Floor(flops / BEST_FLOPS_PER_SECOND, moved / speed)
