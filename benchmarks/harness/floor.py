"""Counts the arithmetic that a piece of work needs, and says which share of the GPU's best rate a time amounts to."""

from benchmarks.inputs.shapes import Shape

# Measured: a large bfloat16 matrix product of random numbers on an H200 or an H100 (SXM).
BEST_FLOPS_PER_SECOND = 790e12
FORWARD_FLOPS, TRAIN_FLOPS = 2, 4  # These are of a weight and token: a frozen weight needs no gradient of its own.


def floor_seconds(tokens: int, shape: Shape, *, train: bool) -> float:
    """Seconds at the best rate for `tokens` that have to be computed once.

    The head (one row of it is read), attention (under 1 %) and LoRA (1 %) are left out.
    """
    return (TRAIN_FLOPS if train else FORWARD_FLOPS) * shape.body * tokens / BEST_FLOPS_PER_SECOND
