"""Computes how much memory a training takes, and how many tokens fit at once, from the shape of its base alone.

Frozen weights; the head and the embedding, in 16 bits or more; a copy of one layer's weights, where they lie in 4 bits;
of every adapter weight itself, its 32-bit master, gradient and two moments; what a token keeps where every layer
computes again: the input of each layer, and all that one layer makes of it. And what CUDA takes for itself.
The numbers were put beside published ones: /docs/hardware.md, "Training on 4 bits".
"""

from dataclasses import dataclass
from pathlib import Path

from inference.machine.hardware import Model, read_model
from shared.artifacts.json_files import read_json
from shared.settings.sections import Lora, Weights

CONTEXT = 1e9  # bytes that CUDA and its kernels take
MASTERS = 16  # bytes for an adapter's weight beside itself: master, gradient, two moments, each of 32 bits
LAYER_VALUES = (6, 12)  # numbers that a layer makes of a token: for each of its inner width, and of its width
LEAST_TOKENS = 512  # one group, or near it
NF4_BITS = 4 + 8 / 64 + 32 / (64 * 256)  # inference/engines/transformers/low_bit/nf4.py
HOSTED_BITS = 4 + 16 / 128 + 8 / 128  # a scale and a zero for 128 weights
AGAIN = "fetch or make the model again"


@dataclass(frozen=True)
class Need:
    """Bytes that a training takes: whatever it computes, and for each token that it computes at once."""

    fixed: float
    token: float

    def tokens(self, room: float) -> int:
        """How many tokens fit into `room` bytes."""
        return max(int((room - self.fixed) // self.token), 0)


def weights_bytes(folder: Path, width: int, weights: Weights, *, head: bool) -> float:
    """Bytes of the base in `folder` as it lies in memory; other numbers than its layers' have `width` bytes each."""
    model, config = read_model(folder), read_json(folder / "config.json", AGAIN)
    bits = {"full": 8.0 * width, "nf4": NF4_BITS, "packed": HOSTED_BITS}[weights]
    tables = 2 if head and not config.get("tie_word_embeddings", False) else 1
    return _linear_weights(model) * bits / 8 + tables * config.get("vocab_size", 0) * model.width * width


def training_need(folder: Path, width: int, weights: Weights, lora: Lora, *, head: bool) -> Need:
    """What training the base in `folder` takes when every layer computes again; `width` bytes for a number."""
    model = read_model(folder)
    layer = _linear_weights(model) / model.layers
    sides = sum(inputs + outputs for inputs, outputs in _shapes(model))
    adapters = lora.rank * model.layers * sides * (width + MASTERS)
    copy = layer * width if weights != "full" else 0.0
    made = LAYER_VALUES[0] * model.inner + LAYER_VALUES[1] * model.width
    token = (model.layers * model.width + made) * width
    return Need(weights_bytes(folder, width, weights, head=head) + copy + adapters + CONTEXT, token)


def _linear_weights(model: Model) -> float:
    return model.layers * sum(inputs * outputs for inputs, outputs in _shapes(model))


def _shapes(model: Model) -> list[tuple[int, int]]:
    """Inputs and outputs of the linear layers of one decoder layer, with a gate beside the way up."""
    queries, keys = model.heads * model.head_width, model.kv_heads * model.head_width
    attention = [(model.width, queries), (model.width, keys), (model.width, keys), (queries, model.width)]
    return [*attention, (model.width, model.inner), (model.width, model.inner), (model.inner, model.width)]
