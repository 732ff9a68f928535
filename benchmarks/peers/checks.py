"""Says how far a side's answers are from the same weights computed in 32 bits, every pair apart."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

from benchmarks.harness.sides import Rows
from benchmarks.peers import plain
from shared.task.metrics import kendall_tau


def reference_scores(base: torch.nn.Module, rows: Rows) -> np.ndarray:
    """Scores in float32; the weights are the very ones of `base`, widened a layer at a time."""
    with in_32_bits(base):
        return plain.score(base, rows, batch=16)


def reference_vectors(backbone: torch.nn.Module, rows: Rows) -> np.ndarray:
    with in_32_bits(backbone):
        return plain.encode(backbone, rows, batch=16)


def score_errors(scores: np.ndarray, reference: np.ndarray, passages: int) -> dict[str, float]:
    """Largest difference, and Kendall's tau of the orders of each query's passages, averaged; of the first pairs."""
    scores = np.asarray(scores, np.float64)[: len(reference)]
    groups = zip(scores.reshape(-1, passages), reference.reshape(-1, passages), strict=True)
    return {
        "max_error": float(np.abs(scores - reference).max()),
        "spread": float(reference.std()),
        "kendall_tau": float(np.mean([kendall_tau(left, right) for left, right in groups])),
    }


@contextmanager
def in_32_bits(model: torch.nn.Module) -> Iterator[None]:
    """Compute in float32 inside; a layer's weights are widened while it works and are bit for bit themselves after."""
    dtype = model.dtype
    parts = [part for name, part in model.named_modules() if _works_alone(name, part)]
    hooks = [part.register_forward_pre_hook(_convert(torch.float32)) for part in parts]
    hooks += [part.register_forward_hook(_convert(dtype)) for part in parts]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _works_alone(name: str, part: torch.nn.Module) -> bool:
    """The embedding, each layer, the last norm, the head: what a hidden state passes one after another."""
    last = name.rpartition(".")[2]
    return last.isdigit() or last in ("embed_tokens", "norm", "lm_head")


def _convert(dtype: torch.dtype) -> Callable:
    def hook(part: torch.nn.Module, *_: object) -> None:
        for weight in part.parameters():
            weight.data = weight.data.to(dtype)

    return hook
