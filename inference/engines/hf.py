"""Runs any Hugging Face model through transformers, on a CPU or on GPUs, one process for each; trains through here too.

Shapes: B rows of a batch, T tokens, D width.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import normalize
from tqdm import tqdm
from transformers import AutoModel, AutoModelForCausalLM, PreTrainedModel
from transformers.utils import logging

from inference.batching import cut_batches
from inference.profiles import Profile
from inference.ranks import fill_from_ranks, rank, world
from inference.tokens import load_tokenizer, yes_token
from shared.settings import Pooling

Rows = Sequence[Sequence[int]]


class HFEncoder:
    """An Encoder over a loaded model."""

    def __init__(self, model: PreTrainedModel, pooling: Pooling, batch_tokens: int):
        self.model, self.pooling, self.batch_tokens = model, pooling, batch_tokens

    def encode(self, prompts: Rows) -> np.ndarray:
        width = self.model.config.hidden_size
        return _compute(
            prompts, lambda rows: embed(self.model, rows, self.pooling), self.batch_tokens, (width,), "encode"
        )


class HFScorer:
    """A Scorer over a loaded model."""

    def __init__(self, model: PreTrainedModel, yes: int, batch_tokens: int):
        self.model, self.yes, self.batch_tokens = model, yes, batch_tokens

    def score(self, prefixes: Rows, suffixes: Sequence[Rows]) -> np.ndarray:
        rows = [[*prefix, *suffix] for prefix, group in zip(prefixes, suffixes, strict=True) for suffix in group]
        return _compute(rows, lambda part: yes_logits(self.model, part, self.yes), self.batch_tokens, (), "score")


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


def embed(model: PreTrainedModel, rows: Rows, pooling: Pooling) -> torch.Tensor:
    """Unit vectors [B, D] float32 of B rows of ids, by the last token or by the mean of all tokens."""
    ids_BT, mask_BT = _pad(rows, model.device)
    hidden_BTD = model(input_ids=ids_BT, attention_mask=mask_BT).last_hidden_state
    if pooling == "last":
        pooled_BD = _at_least_32_bits(_last(hidden_BTD, mask_BT))
    else:
        weights_BT1 = mask_BT.unsqueeze(-1)
        pooled_BD = (_at_least_32_bits(hidden_BTD) * weights_BT1).sum(1) / weights_BT1.sum(1)
    return normalize(pooled_BD, dim=-1)


def yes_logits(model: PreTrainedModel, rows: Rows, yes: int) -> torch.Tensor:
    """Logit of "Yes" [B] float32 after the last token of each row; no other logit is computed."""
    ids_BT, mask_BT = _pad(rows, model.device)
    hidden_BTD = model.base_model(input_ids=ids_BT, attention_mask=mask_BT, use_cache=False).last_hidden_state
    head_D = model.get_output_embeddings().weight[yes]
    return _at_least_32_bits(_last(hidden_BTD, mask_BT)) @ _at_least_32_bits(head_D)


def _load(kind: type, folder: str | Path, dtype: str, device: torch.device) -> PreTrainedModel:
    logging.disable_progress_bar()  # weights load in a moment; the bar would hide ours
    model = kind.from_pretrained(
        folder, dtype=getattr(torch, dtype), use_safetensors=True, trust_remote_code=False, attn_implementation="sdpa"
    )
    return model.to(device).eval()


@torch.no_grad()
def _compute(
    rows: Rows, forward: Callable[[Rows], torch.Tensor], batch_tokens: int, shape: tuple[int, ...], verb: str
) -> np.ndarray:
    values = np.zeros((len(rows), *shape), np.float32)
    batches = cut_batches([len(row) for row in rows], batch_tokens)
    device = torch.device("cpu")
    for batch in tqdm(batches[rank() :: world()], desc=verb, unit="batch", disable=rank() > 0, mininterval=5):
        result = forward([rows[row] for row in batch])
        device = result.device
        values[batch] = result.float().cpu().numpy()
    values = fill_from_ranks(values, device if world() == 1 else _own_device())
    if not np.isfinite(values).all():
        bad = int(np.flatnonzero(~np.isfinite(values).reshape(len(rows), -1).all(1))[0])
        raise ValueError(
            f"prompt {bad} of {len(rows)} gave NaN or infinity: use dtype bfloat16 or float32 in the profile"
        )
    return values


def _own_device() -> torch.device:
    on_gpu = torch.distributed.get_backend() == "nccl"
    return torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")


def _pad(rows: Rows, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    lengths = torch.tensor([len(row) for row in rows])
    mask_BT = torch.arange(int(lengths.max())) < lengths.unsqueeze(1)
    ids_BT = torch.zeros(mask_BT.shape, dtype=torch.long)  # what stands in the padding is never looked at
    ids_BT[mask_BT] = torch.tensor(list(chain.from_iterable(rows)))
    return ids_BT.to(device, non_blocking=True), mask_BT.long().to(device, non_blocking=True)


def _last(hidden_BTD: torch.Tensor, mask_BT: torch.Tensor) -> torch.Tensor:
    return hidden_BTD[torch.arange(len(hidden_BTD), device=hidden_BTD.device), mask_BT.sum(1) - 1]


def _at_least_32_bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor if tensor.dtype == torch.float64 else tensor.float()
