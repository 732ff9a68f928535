"""sentence-transformers over the benchmark's weights: CrossEncoder on a causal model, the cached contrastive loss."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import faiss
import numpy as np
import torch
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.cross_encoder.modules import LogitScore
from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling

from benchmarks.harness.sides import TEMPERATURE, Trainer, pad_left
from benchmarks.inputs.shapes import YES, text_of, twin
from benchmarks.inputs.workload import Mining, Pairs, Texts, exact_group, mining_prefix, mining_query
from benchmarks.peers.plain import lora


def reranker(base: torch.nn.Module, tokenizer: Path) -> CrossEncoder:
    with _loading(twin(base)):
        module = Transformer(str(tokenizer), transformer_task="text-generation")
    return CrossEncoder(modules=[module, LogitScore(YES)], device=str(base.device), activation_fn=torch.nn.Identity())


def score(side: CrossEncoder, pairs: Sequence[Pairs], asked: list[int], batch: int) -> np.ndarray:
    rows = [
        (text_of(query), text_of(suffix))
        for query, suffixes in (exact_group(pair, asked) for pair in pairs)
        for suffix in suffixes
    ]
    return side.predict(rows, batch_size=batch, show_progress_bar=False)


def embedder_trainer(backbone: torch.nn.Module, tokenizer: Path, *, tokens: int, recompute: bool) -> Trainer:
    """Trains on Texts; `tokens` are computed at once, and a second time for their gradients (GradCache)."""
    wrapped = lora(backbone, recompute=recompute, in_32_bits=False)
    model = _sentence_transformer(wrapped, tokenizer, str(backbone.device)).train()
    loss_of = CachedMultipleNegativesRankingLoss(model, scale=1 / TEMPERATURE, mini_batch_num_tokens=tokens)

    def prepare(texts: Sequence[Texts]) -> list[dict]:
        columns = [[text.query for text in texts], *zip(*(text.passages for text in texts), strict=True)]
        return [{**pad_left(column, backbone.device), "modality": "text"} for column in columns]

    def step(batch: list[dict]) -> torch.Tensor:
        loss = loss_of([dict(column) for column in batch], None)
        loss.backward()
        return loss.detach()

    return Trainer(wrapped, prepare, step)


def embedder(backbone: torch.nn.Module, tokenizer: Path) -> SentenceTransformer:
    return _sentence_transformer(twin(backbone), tokenizer, str(backbone.device))


def mine(side: SentenceTransformer, work: Mining, batch: int, neighbours: int) -> tuple[np.ndarray, np.ndarray]:
    """Nearest passages [Q, k] of each query, and the queries' vectors."""
    prefix = mining_prefix(work)
    queries = [text_of([*prefix, *mining_query(work, pair)][:-1]) for pair in work.queries]  # it adds the end token
    queries = side.encode_query(queries, batch_size=batch, show_progress_bar=False)
    passages = side.encode_document([text_of(passage) for passage in work.passages], batch_size=batch)
    index = faiss.IndexFlatIP(passages.shape[1])
    index.add(np.ascontiguousarray(passages, np.float32))
    queries = np.ascontiguousarray(queries, np.float32)
    return index.search(queries, neighbours)[1], queries


def _sentence_transformer(model: torch.nn.Module, tokenizer: Path, device: str) -> SentenceTransformer:
    with _loading(model):
        module = Transformer(str(tokenizer))
    pooling = Pooling(model.config.hidden_size, pooling_mode="lasttoken")
    return SentenceTransformer(modules=[module, pooling, Normalize()], device=device)


@contextmanager
def _loading(model: torch.nn.Module) -> Iterator[None]:
    """Its module insists on loading a folder: inside, what it loads is `model`."""
    real = Transformer._load_config, Transformer._load_model
    Transformer._load_config = lambda *_, **__: (model.config, False)
    Transformer._load_model = lambda *_, **__: model
    try:
        yield
    finally:
        Transformer._load_config, Transformer._load_model = real
