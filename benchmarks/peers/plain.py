"""transformers and peft with nothing of their own around them: padded rows, SDPA, only the last position's logits."""

from collections.abc import Sequence

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch.nn.functional import cross_entropy, normalize

from benchmarks.harness.adapters import fill_adapters
from benchmarks.harness.sides import ALPHA, RANK, TARGETS, TEMPERATURE, Rows, Trainer, pad_left
from benchmarks.inputs.shapes import YES, twin
from benchmarks.inputs.workload import Texts


def lora(base: torch.nn.Module, *, recompute: bool, in_32_bits: bool) -> PeftModel:
    """A twin of `base` with peft's adapters, in training mode; dropout 0, so that sides can be compared."""
    config = LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules=list(TARGETS))
    model = get_peft_model(twin(base), config, autocast_adapter_dtype=in_32_bits)
    model.config.use_cache = False
    if recompute:
        model.enable_input_require_grads()
        model.gradient_checkpointing_enable({"use_reentrant": False})
    fill_adapters(model)
    return model.train()


def reranker_trainer(base: torch.nn.Module, *, recompute: bool) -> Trainer:
    """Trains on groups of rows."""
    model = lora(base, recompute=recompute, in_32_bits=False)

    def prepare(groups: Sequence[Rows]) -> tuple[dict, int]:
        return pad_left([row for group in groups for row in group], base.device), len(groups)

    def step(batch: tuple[dict, int]) -> torch.Tensor:
        features, groups = batch
        scores = model(**features, logits_to_keep=1).logits[:, -1, YES].float().view(groups, -1)
        loss = cross_entropy(scores, torch.zeros(groups, dtype=torch.long, device=scores.device))
        loss.backward()
        return loss.detach()

    return Trainer(model, prepare, step)


def embedder_trainer(base: torch.nn.Module, *, recompute: bool) -> Trainer:
    """Trains on Texts."""
    model = lora(base, recompute=recompute, in_32_bits=False)

    def step(batch: tuple[dict, dict]) -> torch.Tensor:
        queries, passages = (normalize(model(**part).last_hidden_state[:, -1].float(), dim=-1) for part in batch)
        scores = queries @ passages.T / TEMPERATURE
        target = torch.arange(len(queries), device=scores.device) * (len(passages) // len(queries))
        loss = cross_entropy(scores, target)
        loss.backward()
        return loss.detach()

    return Trainer(model, lambda texts: pad_texts(texts, base.device), step)


@torch.no_grad()
def score(base: torch.nn.Module, rows: Rows, batch: int) -> np.ndarray:
    """Logits of "Yes", longest rows first, `batch` rows at once."""
    order = np.argsort([-len(row) for row in rows], kind="stable")
    scores = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), batch):
        part = order[start : start + batch]
        features = pad_left([rows[row] for row in part], base.device)
        scores[part] = base(**features, logits_to_keep=1, use_cache=False).logits[:, -1, YES].float().cpu().numpy()
    return scores


@torch.no_grad()
def encode(backbone: torch.nn.Module, rows: Rows, batch: int) -> np.ndarray:
    """Unit vectors [N, D] float32 by the last token, longest rows first."""
    order = np.argsort([-len(row) for row in rows], kind="stable")
    vectors = np.empty((len(rows), backbone.config.hidden_size), np.float32)
    for start in range(0, len(rows), batch):
        part = order[start : start + batch]
        hidden = backbone(**pad_left([rows[row] for row in part], backbone.device), use_cache=False).last_hidden_state
        vectors[part] = normalize(hidden[:, -1].float(), dim=-1).cpu().numpy()
    return vectors


def pad_texts(texts: Sequence[Texts], device: torch.device) -> tuple[dict, dict]:
    queries = pad_left([text.query for text in texts], device)
    return queries, pad_left([passage for text in texts for passage in text.passages], device)
