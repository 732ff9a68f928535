"""Runs any Hugging Face model through transformers, on a CPU or on GPUs, one process for each."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.distributed.fsdp import FSDPModule
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    PreTrainedModel,
)
from transformers.utils import logging

from inference.engines.answers import answered
from inference.engines.checks.model import check_model, load_config
from inference.engines.checks.quantised import hosted_format
from inference.engines.distributed import fill_from_ranks, take_turns
from inference.engines.heartbeat import reached
from inference.engines.packing.prefix_forest import Rows
from inference.engines.progress import Meter
from inference.engines.protocols import Answer
from inference.engines.transformers.attention import compile_layers, is_packed
from inference.engines.transformers.dense import load_dense, width_of
from inference.engines.transformers.device import fetch
from inference.engines.transformers.families import SHARES_PREFIXES, attention_of, is_decoder
from inference.engines.transformers.forward import Batch, embed, plan_batches, rows_of, yes_logits
from inference.engines.transformers.fp8 import use_fp8
from inference.engines.transformers.low_bit.load import load_low_bit
from inference.engines.transformers.new_head import fill_head
from inference.machine.profiles import Profile
from shared.prompts.embedder import Pooling
from shared.settings.sections import Weights


class HFEncoder:
    """An Encoder over a loaded model; what prompts begin with alike is computed once, unless it is an encoder."""

    def __init__(self, model: PreTrainedModel, pooling: Pooling, batch_tokens: int):
        if pooling == "last" and not is_decoder(model):
            raise ValueError(
                f'{model.name_or_path} is an encoder, its last token is like any other: set pooling = "mean"'
            )
        self.model, self.pooling, self.batch_tokens = model, pooling, batch_tokens

    def encode(self, prompts: Rows) -> np.ndarray:
        vectors = np.zeros((len(prompts), width_of(self.model)), np.float32)
        plan = partial(plan_batches, batch_tokens=self.batch_tokens, share=self.pooling == "last", queue=True)
        return _answer(self.model, prompts, plan, vectors, lambda batch: embed(self.model, batch, self.pooling))


class HFScorer:
    """A Scorer over a loaded model; a query is computed once for all of its candidates."""

    def __init__(self, model: PreTrainedModel, yes: Answer, batch_tokens: int):
        self.model, self.yes, self.batch_tokens = model, yes, batch_tokens

    def score(self, prompts: Rows) -> np.ndarray:
        plan = partial(plan_batches, batch_tokens=self.batch_tokens, queue=True)
        scores = np.zeros(len(prompts), np.float32)
        return _answer(self.model, prompts, plan, scores, lambda batch: yes_logits(self.model, batch, self.yes))


@contextmanager
def open_encoder(folder: Path, pooling: Pooling, profile: Profile) -> Iterator[HFEncoder]:
    """The embedder in `folder` on this process's device; the memory is given back at the end."""
    packed = profile.packed and pooling == "last"
    model = load_backbone(folder, profile.dtype, device_of(profile), packed=packed, weights=_held(folder, profile))
    if profile.fp8 and is_packed(model):
        use_fp8(model)
    try:
        yield HFEncoder(model, pooling, profile.batch_tokens)
    finally:
        model.to("meta")


@contextmanager
def open_scorer(folder: Path, profile: Profile) -> Iterator[HFScorer]:
    """The merged reranker in `folder` on this process's device; the memory is given back at the end."""
    how = {"packed": profile.packed, "weights": _held(folder, profile)}
    model = load_reranker(folder, profile.dtype, device_of(profile), **how)
    if profile.fp8 and is_packed(model):
        use_fp8(model)
    try:
        yield HFScorer(model, 0, profile.batch_tokens)
    finally:
        model.to("meta")


def _held(folder: Path, profile: Profile) -> Weights:
    """How the weights lie in memory under this profile: an encoder is small and stays as it is."""
    return "nf4" if profile.nf4 and load_config(folder).model_type in SHARES_PREFIXES else "full"


def device_of(profile: Profile) -> torch.device:
    """The device of this process: the profile's, numbered by torchrun where there are several."""
    return torch.device("cuda", torch.cuda.current_device()) if profile.device == "cuda" else torch.device("cpu")


def load_backbone(
    folder: str | Path, dtype: str, device: torch.device, *, packed: bool = False, weights: Weights = "full"
) -> PreTrainedModel:
    """The model without its head, in eval mode, from safetensors only. `packed` is for decoders on a GPU."""
    model = _load(AutoModel, folder, dtype, device, packed, weights=weights)
    load_dense(model, Path(folder))
    return model


def load_causal(
    folder: str | Path, dtype: str, device: torch.device, *, packed: bool = False, weights: Weights = "full"
) -> PreTrainedModel:
    """The causal language model, in eval mode, from safetensors only. `packed` is for GPUs."""
    return _load(AutoModelForCausalLM, folder, dtype, device, packed, weights=weights)


def load_reranker(
    folder: str | Path, dtype: str, device: torch.device, *, packed: bool = False, weights: Weights = "full"
) -> PreTrainedModel:
    """A classifier of one label in eval mode, such as a merged reranker with the row of "Yes". `packed` is for GPUs."""
    return _load(AutoModelForSequenceClassification, folder, dtype, device, packed, weights=weights)


def load_cross_encoder(folder: str | Path, dtype: str, device: torch.device) -> PreTrainedModel:
    """An encoder's classifier of one label; one without a head gets a new one, the same every time."""
    kind = AutoModelForSequenceClassification
    model = _load(kind, folder, dtype, device, False, new_head=True)
    if new := check_model(Path(folder), kind, new_head=True):
        fill_head(model, new)
    return model


def _load(
    kind: type,
    folder: str | Path,
    dtype: str,
    device: torch.device,
    packed: bool,
    new_head: bool = False,
    weights: Weights = "full",
) -> PreTrainedModel:
    logging.disable_progress_bar()  # weights load in a moment; the bar would hide ours
    config = load_config(Path(folder))
    hosted = hosted_format(Path(folder), config)
    unread = check_model(Path(folder), kind, new_head=new_head)
    if hosted or weights != "full":
        attention = attention_of(config, packed=packed)
        model = load_low_bit(kind, Path(folder), config, getattr(torch, dtype), device, attention)
        if is_packed(model):
            compile_layers(model)
        return model.eval()
    model = kind.from_pretrained(
        folder,
        dtype=getattr(torch, dtype),
        use_safetensors=True,
        trust_remote_code=False,
        attn_implementation=attention_of(config, packed=packed),
        device_map={"": device} if device.type == "cuda" else None,  # straight to the GPU: 8 processes share one RAM
        **({"num_labels": 1} if new_head else {}),
    )
    if unread and kind is AutoModel:
        model.pooler = None  # the file has none: random numbers would take its place, and be trained and merged
    if is_packed(model):
        compile_layers(model)
    return model.eval()


def _answer(
    model: PreTrainedModel,
    prompts: Rows,
    plan: Callable[..., list[Batch]],
    values: np.ndarray,
    forward: Callable[[Batch], torch.Tensor],
) -> np.ndarray:
    """Fill `values` (zeros) with what `forward` says of the prompts in the batches of `plan`.

    One NaN spreads to all that lie in the same forest, for 0 x NaN is NaN under a mask too. Who gave none by itself is
    found by asking again, each prompt apart; where nothing at all is finite it is the model, and nobody is asked.
    """
    batches = plan(model, prompts)
    values = _compute(model, batches, values, forward)
    bad = ~answered(values)
    in_company = {int(row) for batch in batches for forest in batch if len(forest.order) > 1 for row in forest.order}
    suspects = sorted(in_company.intersection(np.flatnonzero(bad).tolist())) if bad.any() else []
    if suspects and (len(batches) == 1 or not bad.all()):
        apart = plan(model, [prompts[row] for row in suspects], apart=True)
        values[suspects] = _compute(model, apart, np.zeros_like(values[suspects]), forward)
    return values


@torch.no_grad()
def _compute(
    model: PreTrainedModel, batches: Sequence[Batch], values: np.ndarray, forward: Callable[[Batch], torch.Tensor]
) -> np.ndarray:
    """Fill `values` (zeros), a row for each row of the batches, with what `forward` says of it."""
    turns = take_turns(len(batches), together=isinstance(model.base_model, FSDPModule))
    bar = Meter(turns, total=len(batches), desc="encode/score", unit=" batches")
    waiting: list[tuple[Batch, Callable[[], np.ndarray]]] = []  # one batch, read when a GPU has the next to compute
    for turn, number in enumerate(bar, 1):
        reached(f"batch {turn} of at most {len(batches)}")
        batch = batches[number or 0]  # of a model spread over the processes all have to run, or none can
        answers = fetch(forward(batch).float())
        _read(waiting, values)
        if number is not None:
            waiting.append((batch, answers))
    _read(waiting, values)
    return fill_from_ranks(values)


def _read(waiting: list[tuple[Batch, Callable[[], np.ndarray]]], values: np.ndarray) -> None:
    while waiting:
        batch, answers = waiting.pop()
        values[rows_of(batch)] = answers()
