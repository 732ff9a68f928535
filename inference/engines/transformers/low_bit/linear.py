"""A frozen linear layer whose weights lie in 4 bits; they are made 16 bits for a product, and again for its gradient.

What backward needs is saved as it lies, in 4 bits: a layer whose activations are kept costs no 16-bit copy of its
weights, and one that computes them again costs none either.

Shapes: I inputs, O outputs.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import linear

from inference.engines.transformers.low_bit import integers, nf4

Parts = nf4.Nf4 | integers.Integers


class PackedLinear(nn.Linear):
    """A linear layer [I] -> [O] without numbers yet; `fill` gives it some. The bias stays in the model's precision.

    `weight` is the packed bytes [O, I / 2] uint8: PEFT puts its adapters around any nn.Linear with a weight.
    """

    def __init__(self, of: nn.Linear):
        super().__init__(of.in_features, of.out_features, bias=False, device="meta")
        self.bias, self.parts = of.bias, None
        self.weight.requires_grad_(False)

    def fill(self, parts: Parts) -> None:
        """Take these weights. Raises ValueError where they are of another size."""
        if parts.packed.numel() * 2 != self.in_features * self.out_features:
            raise ValueError(
                f"{parts.packed.numel() * 2} weights in 4 bits are there for {self.out_features} x {self.in_features}"
            )
        packed = parts.packed.view(self.out_features, -1)
        self.weight = nn.Parameter(packed, requires_grad=False)
        self.parts = type(parts)
        for name, tensor in zip(parts._fields[1:], parts[1:], strict=True):
            self.register_buffer(name, tensor, persistent=False)

    def tensors(self) -> Parts:
        return self.parts(self.weight, *(getattr(self, name) for name in self.parts._fields[1:]))

    def dense(self, dtype: torch.dtype) -> torch.Tensor:
        """The weights [O, I] in `dtype`."""
        return _dequantise(list(self.tensors()), self.out_features, dtype, False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _Product.apply(x, self.bias, self.out_features, *self.tensors())


def is_low_bit(model: nn.Module) -> bool:
    """Whether some layers of the model lie in 4 bits."""
    return any(isinstance(module, PackedLinear) for module in model.modules())


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, bias, outputs, *parts):
        ctx.save_for_backward(*parts)
        ctx.outputs = outputs
        return linear(x, _dequantise(parts, outputs, x.dtype, False), bias)

    @staticmethod
    def backward(ctx, slope):
        parts = ctx.saved_tensors  # read once: a layer that computes again gives them out no more often
        weight_OI = _dequantise(parts, ctx.outputs, slope.dtype, True)
        return slope @ weight_OI, None, None, *(None for _ in parts)


@torch.library.custom_op("malrule::dequantise", mutates_args=())
def _dequantise(parts: Sequence[torch.Tensor], outputs: int, dtype: torch.dtype, again: bool) -> torch.Tensor:
    """The weights [O, I]. `again` changes nothing but the call itself.

    A compiler that saw twice the same call in a forward and a backward pass would make the weights once and keep them.
    """
    if parts[1].dtype == torch.uint8:
        flat = nf4.dequantise(nf4.Nf4(parts[0].flatten(), *parts[1:]), dtype)
        return flat.view(outputs, -1)
    return integers.dequantise(integers.Integers(*parts), dtype)


@_dequantise.register_fake
def _(parts: Sequence[torch.Tensor], outputs: int, dtype: torch.dtype, again: bool) -> torch.Tensor:
    return parts[0].new_empty((outputs, parts[0].numel() * 2 // outputs), dtype=dtype)
