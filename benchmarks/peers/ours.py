"""Our side of the comparisons, through the functions that training and serving call."""

from collections.abc import Sequence

import numpy as np
import torch

from benchmarks.harness.adapters import fill_adapters
from benchmarks.harness.sides import ALPHA, RANK, TARGETS, TEMPERATURE, Rows, Trainer
from benchmarks.inputs.shapes import YES, twin
from benchmarks.inputs.workload import Texts, trie_tokens
from inference.engines.distributed import rank, sum_over_ranks, world
from inference.engines.transformers.attention import PACKED, compile_layers
from inference.engines.transformers.device import send
from inference.engines.transformers.engine import HFEncoder, HFScorer
from inference.engines.transformers.forward import answer_together, embed, yes_logits
from inference.engines.transformers.fp8 import use_fp8
from inference.machine.profiles import load_profile
from inference.retrieval.exact_search import search
from shared.settings.sections import Lora, Train, TrainEmbedder, TrainReranker
from training.trainer.batches import cut_evenly
from training.trainer.lora import add_lora
from training.trainer.losses import contrastive, group_cross_entropy
from training.trainer.memory.recompute import fit_memory

BATCH_TOKENS = load_profile("h200").batch_tokens  # This is for passes without gradients.
UPDATE_TOKENS = 10240  # The embedder's 16 queries and their passages have fewer, so they are one micro-batch.
LORA = Lora(rank=RANK, alpha=ALPHA, dropout=0.0, targets=TARGETS)


def packed(base: torch.nn.Module, *, fp8: bool = False) -> torch.nn.Module:
    """A twin of `base` as our engines load it: on a GPU packed and compiled, its linear layers in 8 bits if asked."""
    model = twin(base)
    if model.device.type == "cuda":
        model.set_attn_implementation(PACKED)
        torch._dynamo.config.recompile_limit = 64  # more models and modes than a program usually has
        compile_layers(model)
    if fp8:
        use_fp8(model)
    return model


def reranker_trainer(base: torch.nn.Module, *, fp8: bool = False) -> Trainer:
    """Trains on groups of rows, in micro-batches of the setting's size; this process computes its share of them."""
    settings = TrainReranker(lora=LORA, fp8=fp8)
    model = _adapted(base, settings)

    def step(groups: Sequence[Rows]) -> torch.Tensor:
        micros = cut_evenly([trie_tokens(group) for group in groups], settings.micro_tokens, world())
        total = torch.zeros((), device=base.device)
        for micro in micros[rank() :: world()]:
            scores = _yes(model, [row for place in micro for row in groups[place]])
            loss = group_cross_entropy(scores.view(len(micro), -1), 0.0).sum() / len(groups)
            loss.backward()
            total += loss.detach()
        return total

    return Trainer(model, lambda groups: groups, step)


def embedder_trainer(base: torch.nn.Module) -> Trainer:
    """Trains on Texts; each process encodes its share of them, as one micro-batch, and returns its share of loss."""
    model = _adapted(base, TrainEmbedder(lora=LORA, micro_tokens=UPDATE_TOKENS))

    def step(texts: Sequence[Texts]) -> torch.Tensor:
        groups = [[text.query, *text.passages] for text in texts]
        tokens = [sum(map(len, group)) for group in groups]
        places = cut_evenly(tokens, sum(tokens), world())[rank()]
        places_b = send(torch.tensor(places), base.device)
        vectors_ND = _vectors(model, [row for place in places for row in groups[place]])
        vectors_bGD = vectors_ND.view(len(places), -1, vectors_ND.shape[-1])
        all_BGD = torch.zeros(len(texts), *vectors_bGD.shape[1:], device=base.device)
        all_BGD[places_b] = vectors_bGD.detach()
        sum_over_ranks(all_BGD).requires_grad_()
        ids_BG = torch.arange(all_BGD[:, 1:, 0].numel(), device=base.device).view(len(texts), -1)
        loss = contrastive(all_BGD[:, 0], all_BGD[:, 1:], ids_BG, TEMPERATURE).mean()
        loss.backward()
        vectors_bGD.backward(all_BGD.grad[places_b])
        return loss.detach() / world()

    return Trainer(model, lambda texts: texts, step)


def score(model: torch.nn.Module, rows: Rows, batch_tokens: int = BATCH_TOKENS) -> np.ndarray:
    """Logits of "Yes" behind every row."""
    return HFScorer(model, YES, batch_tokens).score(rows)


def mine(
    model: torch.nn.Module, queries: Rows, passages: Rows, neighbours: int, batch_tokens: int = BATCH_TOKENS
) -> tuple[np.ndarray, np.ndarray]:
    """Nearest passages [Q, k] of each query, and the queries' vectors."""
    encoder = HFEncoder(model, "last", batch_tokens)
    asked, known = encoder.encode(queries), encoder.encode(passages)
    return search(asked, known, np.arange(len(passages)), neighbours)[0], asked


def _adapted(base: torch.nn.Module, settings: Train) -> torch.nn.Module:
    model = packed(base)
    adapted = add_lora(model, settings.lora, seed=settings.seed)
    fill_adapters(adapted)
    if settings.fp8:
        use_fp8(model)
    fit_memory(model, settings)
    adapted.train()
    return model


def _yes(model: torch.nn.Module, rows: Rows) -> torch.Tensor:
    return answer_together(model, rows, lambda batch: yes_logits(model, batch, YES))


def _vectors(model: torch.nn.Module, rows: Rows) -> torch.Tensor:
    return answer_together(model, rows, lambda batch: embed(model, batch, "last"))
