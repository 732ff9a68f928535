"""Computes how much memory a training takes, and how many tokens fit at once, from the shape of its base alone.

Frozen weights; the head and the embedding, in 16 bits or more; a copy of one layer's weights, where they lie in 4 bits;
of every adapter weight itself, its 32-bit master, gradient and two moments; what a token keeps where every layer
computes again: the input of each layer, and all that one layer makes of it; where none does, what each layer saves for
its gradient. And what CUDA takes for itself.
The numbers were put beside published and measured ones: /docs/hardware.md, "Training on 4 bits".
"""

from dataclasses import dataclass

from shared.settings.sections import Lora, Weights
from training.pipeline.ahead.shapes import Shape
from training.trainer.memory.count import FREE_MEMORY_SHARE, count_recomputed

CONTEXT = 1e9  # bytes that CUDA and its kernels take
MASTERS = 16  # bytes for an adapter's weight beside itself: master, gradient, two moments, each of 32 bits
LAYER_VALUES = (6, 12)  # numbers that a layer makes of a token: for each of its inner width, and of its width
KEPT_VALUES = (4, 4)  # those of them that a layer saves for its gradient where it does not compute them again
LEAST_TOKENS = 512  # one group, or near it
NF4_BITS = 4 + 8 / 64 + 32 / (64 * 256)  # inference/engines/transformers/low_bit/nf4.py
HOSTED_BITS = 4 + 16 / 128 + 8 / 128  # a scale and a zero for 128 weights


@dataclass(frozen=True)
class Need:
    """Bytes that a training takes: whatever it computes, and for each token that it computes at once."""

    fixed: float
    token: float  # where all layers compute again that may
    kept: float  # where none does
    layers: int

    def tokens(self, room: float) -> int:
        """How many tokens fit into `room` bytes where all layers compute again that may."""
        return max(int((room - self.fixed) // self.token), 0)

    def recomputed(self, tokens: int, room: float) -> int:
        """How many layers have to compute again for `tokens` tokens, which fit into `room` bytes, as training counts.

        Training leaves a share of the memory free; where too few tokens would be left by that, it is all of them.
        """
        free = FREE_MEMORY_SHARE * (room - self.fixed)
        if self.token == self.kept:
            return 0
        if self.token * tokens > free:
            return self.layers
        return min(count_recomputed(free, tokens, self.kept, self.token, self.layers), self.layers)


def weights_bytes(shape: Shape, width: int, weights: Weights, *, head: bool) -> float:
    """Bytes of a base as it lies in memory; other numbers than its layers' have `width` bytes each.

    `head` says whether the base's own is held too, where it has one.
    """
    bits = {"full": 8.0 * width, "nf4": NF4_BITS, "packed": HOSTED_BITS}[weights]
    tables = 2 if head and shape.head else 1
    layers = shape.model.layers * shape.layer_weights * bits / 8
    return layers + tables * shape.vocabulary * shape.model.width * width


def training_need(shape: Shape, width: int, weights: Weights, lora: Lora, *, head: bool) -> Need:
    """What training a base takes, with `width` bytes for a number; `head`: whether its own is held."""
    model = shape.model
    sides = sum(inputs + outputs for inputs, outputs in shape.linears)
    adapters = lora.rank * model.layers * sides * (width + MASTERS)
    copy = shape.layer_weights * width if weights != "full" else 0.0
    made, kept = (inner * model.inner + own * model.width for inner, own in (LAYER_VALUES, KEPT_VALUES))
    token = (model.layers * model.width + made) * width
    fixed = weights_bytes(shape, width, weights, head=head) + copy + adapters + CONTEXT
    return Need(fixed, token, max(model.layers * kept * width, token), model.layers)
