"""Runs any Hugging Face model through transformers, on a CPU or on GPUs, one process for each."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm
from transformers import AutoModel, AutoModelForCausalLM, PreTrainedModel
from transformers.utils import logging

from inference.batching import cut_batches
from inference.engines.forward import Rows, Tree, embed, yes_logits
from inference.profiles import Profile
from inference.ranks import fill_from_ranks, rank, world
from inference.tokens import load_tokenizer, yes_token
from shared.settings import Pooling

BRANCHES = 32  # candidates of one row: attention is quadratic in its length


class HFEncoder:
    """An Encoder over a loaded model."""

    def __init__(self, model: PreTrainedModel, pooling: Pooling, batch_tokens: int):
        self.model, self.pooling, self.batch_tokens = model, pooling, batch_tokens

    def encode(self, prompts: Rows) -> np.ndarray:
        vectors = np.zeros((len(prompts), self.model.config.hidden_size), np.float32)
        places = [[row] for row in range(len(prompts))]
        return _compute(prompts, places, vectors, lambda rows: embed(self.model, rows, self.pooling), self.batch_tokens)


class HFScorer:
    """A Scorer over a loaded model; a query is computed once for all of its candidates."""

    def __init__(self, model: PreTrainedModel, yes: int, batch_tokens: int):
        self.model, self.yes, self.batch_tokens = model, yes, batch_tokens

    def score(self, prefixes: Rows, suffixes: Sequence[Rows]) -> np.ndarray:
        trees, places, total = [], [], 0
        for prefix, group in zip(prefixes, suffixes, strict=True):
            for start in range(0, len(group), BRANCHES):
                part = group[start : start + BRANCHES]
                trees.append(Tree(prefix, part))
                places.append(range(total, total + len(part)))
                total += len(part)
        scores = np.zeros(total, np.float32)
        return _compute(trees, places, scores, lambda part: yes_logits(self.model, part, self.yes), self.batch_tokens)


@contextmanager
def open_encoder(folder: Path, pooling: Pooling, profile: Profile) -> Iterator[HFEncoder]:
    """The embedder in `folder` on this process's device; the memory is given back at the end."""
    model = load_backbone(folder, profile.dtype, device_of(profile))
    try:
        yield HFEncoder(model, pooling, profile.batch_tokens)
    finally:
        model.to("meta")


@contextmanager
def open_scorer(folder: Path, profile: Profile) -> Iterator[HFScorer]:
    """The merged reranker in `folder` on this process's device; the memory is given back at the end."""
    model = load_causal(folder, profile.dtype, device_of(profile))
    try:
        yield HFScorer(model, yes_token(load_tokenizer(folder)), profile.batch_tokens)
    finally:
        model.to("meta")


def device_of(profile: Profile) -> torch.device:
    """The device of this process: the profile's, numbered by torchrun where there are several."""
    return torch.device("cuda", torch.cuda.current_device()) if profile.device == "cuda" else torch.device("cpu")


def load_backbone(folder: str | Path, dtype: str, device: torch.device) -> PreTrainedModel:
    """The model without its head, in eval mode, from safetensors only."""
    return _load(AutoModel, folder, dtype, device)


def load_causal(folder: str | Path, dtype: str, device: torch.device) -> PreTrainedModel:
    """The causal language model, in eval mode, from safetensors only."""
    return _load(AutoModelForCausalLM, folder, dtype, device)


def _load(kind: type, folder: str | Path, dtype: str, device: torch.device) -> PreTrainedModel:
    logging.disable_progress_bar()  # weights load in a moment; the bar would hide ours
    model = kind.from_pretrained(
        folder,
        dtype=getattr(torch, dtype),
        use_safetensors=True,
        trust_remote_code=False,
        attn_implementation="sdpa",
        device_map={"": device} if device.type == "cuda" else None,  # straight to the GPU: 8 processes share one RAM
    )
    return model.eval()


@torch.no_grad()
def _compute(
    items: Sequence, places: Sequence[Sequence[int]], values: np.ndarray, forward: Callable, batch_tokens: int
) -> np.ndarray:
    """Fill `values` (zeros), whose rows places[i] belong to items[i], with `forward` of batches of items.

    Raises ValueError for a value that is not finite.
    """
    batches = cut_batches([len(item) for item in items], batch_tokens)
    for batch in tqdm(batches[rank() :: world()], desc="encode/score", unit="batch", disable=rank() > 0, mininterval=5):
        rows = [row for item in batch for row in places[item]]
        values[rows] = forward([items[item] for item in batch]).float().cpu().numpy()
    values = fill_from_ranks(values)
    if not np.isfinite(values).all():
        bad = int(np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(1))[0])
        raise ValueError(f"prompt {bad} of {len(values)} gave NaN or infinity: use dtype bfloat16 or float32")
    return values
