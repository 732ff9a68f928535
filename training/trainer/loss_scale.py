"""Scales the gradients of a model in float16, whose smallest number is 6e-8, and finds the largest scale that fits.

bfloat16 and wider types have float32's range and need none; GPUs before compute capability 8.0, such as a T4, have no
bfloat16. The loss itself stays as it is: a gradient is multiplied where it enters the model, from 32 bits into 16, and
divided where it leaves it for the masters.
"""

import math

import torch

FIRST, LARGEST = 2.0**16, 2.0**24
PATIENCE = 2000  # updates without an overflow before the scale is doubled


class LossScale:
    """The scale of a model's gradients, 1 for any other type than float16."""

    def __init__(self, dtype: torch.dtype):
        self.active = dtype == torch.float16
        self.value, self.calm = (FIRST, 0) if self.active else (1.0, 0)

    def fits(self, norm: float) -> bool:
        """Whether the gradient with this norm did not overflow; where it did, the scale is now half as large.

        An overflow without any scale is none of ours: it fits, and whoever reads the norm refuses it.
        """
        if not self.active:
            return True
        if math.isfinite(norm):
            self.calm += 1
            if self.calm == PATIENCE:
                self.value, self.calm = min(2 * self.value, LARGEST), 0
            return True
        if self.value <= 1.0:
            return True
        self.value, self.calm = self.value / 2, 0
        return False

    def state(self) -> dict[str, torch.Tensor]:
        """What a checkpoint keeps of it: {} where there is none."""
        return {"loss_scale": torch.tensor([self.value, self.calm], dtype=torch.float64)} if self.active else {}

    def restore(self, tensors: dict[str, torch.Tensor]) -> None:
        """Take what a checkpoint kept out of its `tensors`."""
        if self.active and "loss_scale" in tensors:
            value, calm = tensors.pop("loss_scale").tolist()
            self.value, self.calm = value, int(calm)
