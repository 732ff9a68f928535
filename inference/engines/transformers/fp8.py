"""Computes a frozen model's linear layers in 8 bits: weights scaled by output, activations by token, sums in 32 bits.

Twice the arithmetic of bfloat16 on an Ada or Hopper GPU, at about 4 % error a product (e4m3 has 3 bits of fraction).

Shapes: T tokens, I inputs, O outputs.
"""

import torch
from torch import nn
from transformers import PreTrainedModel

LARGEST_E4M3 = 448.0


def use_fp8(model: PreTrainedModel) -> None:
    """Replace, in place, every linear layer of the decoder layers, also under adapters; the head stays as it is."""
    for parent in [module for layer in model.base_model.layers for module in layer.modules()]:
        for name, child in parent.named_children():
            if type(child) is nn.Linear and not name.startswith("default"):  # an adapter's own are called default
                setattr(parent, name, Fp8Linear(child))


class Fp8Linear(nn.Module):
    """A frozen linear layer in 8 bits, with the gradient of its input."""

    def __init__(self, linear: nn.Linear):
        super().__init__()
        weight_OI, scale_O1 = quantise(linear.weight.detach())
        self.in_features, self.out_features, self.bias = linear.in_features, linear.out_features, linear.bias
        self.register_buffer("weight", weight_OI, persistent=False)
        self.register_buffer("transposed", weight_OI.T.contiguous(), persistent=False)  # the product wants this layout
        self.register_buffer("scale", scale_O1.T.contiguous(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = _Product.apply(x.flatten(0, -2), self.weight, self.transposed, self.scale).unflatten(0, x.shape[:-1])
        return y if self.bias is None else y + self.bias


def quantise(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """8-bit rows [R, C] and the scale [R, 1] float32 that gives them back."""
    scale_R1 = rows.abs().amax(1, keepdim=True).float().clamp(min=1e-12) / LARGEST_E4M3
    return (rows.float() / scale_R1).to(torch.float8_e4m3fn), scale_R1


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x_TI, weight_OI, transposed_IO, scale_1O):
        ctx.save_for_backward(transposed_IO, scale_1O)
        return _multiply(x_TI, weight_OI, scale_1O)

    @staticmethod
    def backward(ctx, y_TO):
        transposed_IO, scale_1O = ctx.saved_tensors
        ones_1I = torch.ones(1, len(transposed_IO), device=y_TO.device)
        return _multiply(y_TO * scale_1O.to(y_TO.dtype), transposed_IO, ones_1I), None, None, None


def _multiply(rows_TC: torch.Tensor, weight_RC: torch.Tensor, scale_1R: torch.Tensor) -> torch.Tensor:
    """rows [T, C] times weight.T, as [T, R] in the rows' dtype."""
    eighth_TC, scale_T1 = quantise(rows_TC)
    return torch._scaled_mm(
        eighth_TC, weight_RC.T, scale_a=scale_T1, scale_b=scale_1R, out_dtype=rows_TC.dtype, use_fast_accum=True
    )
