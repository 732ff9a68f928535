"""FlagEmbedding's own models, losses, datasets, collators and inference classes over the benchmark's weights.

A minimal loop takes the Trainer's place: forward under bfloat16 autocast (its --bf16), backward. Tokenising and
collating are done before the clock starts, though the Trainer does them between steps: that favours this peer.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace

import datasets
import faiss
import numpy as np
import torch
from FlagEmbedding.abc.finetune.reranker.AbsArguments import AbsRerankerDataArguments
from FlagEmbedding.abc.finetune.reranker.AbsDataset import AbsLLMRerankerCollator, AbsLLMRerankerTrainDataset
from FlagEmbedding.finetune.embedder.decoder_only.icl.dataset import AbsEmbedderSameDatasetCollator
from FlagEmbedding.finetune.embedder.decoder_only.icl.modeling import BiDecoderOnlyEmbedderICLModel
from FlagEmbedding.finetune.reranker.decoder_only.base.modeling import CrossDecoderModel
from FlagEmbedding.inference.embedder.decoder_only import icl as icl_inference
from FlagEmbedding.inference.reranker.decoder_only import base as reranker_inference
from transformers import AutoTokenizer

from benchmarks.harness.sides import TEMPERATURE, Trainer
from benchmarks.inputs.shapes import text_of, twin
from benchmarks.inputs.workload import Mining, Pairs, Texts
from benchmarks.peers.plain import lora

RERANKER = {"query_max_len": 384, "passage_max_len": 64, "pad_to_multiple_of": 8}  # the seed's reranker_finetune.sh
EMBEDDER = {"query_max_len": 1024, "passage_max_len": 128, "pad_to_multiple_of": 8}  # and its icl_finetune.sh


def reranker_trainer(
    base: torch.nn.Module, tokenizer: Path, asked: list[int], work: Path, *, recompute: bool
) -> Trainer:
    """Trains on Pairs. `work` is a folder for the files that its dataset class reads."""
    words = AutoTokenizer.from_pretrained(tokenizer)
    wrapped = lora(base, recompute=recompute, in_32_bits=True)
    model = CrossDecoderModel(wrapped, tokenizer=words).train()

    def prepare(pairs: Sequence[Pairs]) -> tuple[dict, int]:
        rows = _reranker_dataset(pairs, words, asked, work)
        batch = AbsLLMRerankerCollator(tokenizer=words, padding=True, **RERANKER)([*rows])
        return {**batch, "pair": batch["pair"].to(base.device)}, len(pairs)

    def step(prepared: tuple[dict, int]) -> torch.Tensor:
        batch, model.train_batch_size = prepared
        return _step(model, batch, base.device)

    return Trainer(wrapped, prepare, step)


def embedder_trainer(base: torch.nn.Module, tokenizer: Path, *, recompute: bool) -> Trainer:
    """Trains on Texts; the examples are in the query's text already, so its dataset class has nothing to add."""
    words = AutoTokenizer.from_pretrained(tokenizer)
    wrapped = lora(base, recompute=recompute, in_32_bits=True)
    model = BiDecoderOnlyEmbedderICLModel(
        wrapped, tokenizer=words, temperature=TEMPERATURE, normalize_embeddings=True
    ).train()

    def prepare(texts: Sequence[Texts]) -> dict:
        queries = [text_of(text.query[:-1]) for text in texts]  # the tokenizer adds the end token
        passages = [text_of(passage[:-1]) for text in texts for passage in text.passages]
        batch = AbsEmbedderSameDatasetCollator(tokenizer=words, padding=True, **EMBEDDER)(
            [(queries, passages, None, False)]
        )
        return {**batch, **{part: batch[part].to(base.device) for part in ("queries", "passages")}}

    return Trainer(wrapped, prepare, lambda batch: _step(model, batch, base.device))


class Reranker(reranker_inference.BaseLLMReranker):
    """Its reranker over shared weights, which stay where they are."""

    def stop_self_pool(self) -> None:
        pass  # its own moves the weights to the CPU, also when the object dies


def reranker(base: torch.nn.Module, tokenizer: Path, asked: list[int]) -> Reranker:
    with _loading(reranker_inference, "AutoModelForCausalLM", base):
        return Reranker(
            str(tokenizer),
            use_bf16=base.dtype == torch.bfloat16,
            query_instruction_for_rerank=None,
            passage_instruction_for_rerank=None,
            prompt=text_of(asked),
            devices=str(base.device),
            query_max_length=RERANKER["query_max_len"],
        )


def score(side: Reranker, pairs: Sequence[Pairs], batch: int) -> np.ndarray:
    rows = [(text_of(pair.query), text_of(passage)) for pair in pairs for passage in pair.passages]
    return np.asarray(side.compute_score(rows, batch_size=batch), np.float32)


class Embedder(icl_inference.ICLLLMEmbedder):
    """Its in-context embedder over shared weights. Its own would send them to the CPU and back before every corpus."""

    def stop_self_pool(self) -> None:
        pass

    def stop_self_query_pool(self) -> None:
        pass


def embedder(backbone: torch.nn.Module, tokenizer: Path, work: Mining) -> Embedder:
    example = {name: text_of(ids) for name, ids in zip(("query", "response"), work.example, strict=True)}
    with _loading(icl_inference, "AutoModel", backbone):
        return Embedder(
            str(tokenizer),
            use_fp16=False,
            use_bf16=backbone.dtype == torch.bfloat16,
            query_instruction_for_retrieval=text_of(work.task),
            examples_for_task=[{"instruct": text_of(work.task), **example}],
            devices=str(backbone.device),
            query_max_length=1024,
            passage_max_length=512,
        )


def mine(side: Embedder, work: Mining, batch: int, neighbours: int) -> tuple[np.ndarray, np.ndarray]:
    """Nearest passages [Q, k] of each query, and the queries' vectors, as its hn_mine.py does it."""
    queries = side.encode_queries([text_of(pair.query) for pair in work.queries], batch_size=batch)
    passages = side.encode_corpus([text_of(passage) for passage in work.passages], batch_size=batch)
    index = faiss.IndexFlatIP(passages.shape[1])
    index.add(np.ascontiguousarray(passages, np.float32))
    queries = np.ascontiguousarray(queries, np.float32)
    return index.search(queries, neighbours)[1], queries


def _reranker_dataset(pairs: Sequence[Pairs], words, asked: list[int], work: Path) -> Iterator:
    datasets.disable_progress_bars()
    file = work / f"pairs{sum(1 for _ in work.iterdir())}.jsonl"  # a new name: it caches by the name
    file.write_text(
        "".join(
            json.dumps(
                {
                    "query": text_of(pair.query),
                    "pos": [text_of(pair.passages[0])],
                    "neg": [text_of(passage) for passage in pair.passages[1:]],
                    "prompt": text_of(asked),
                }
            )
            + "\n"
            for pair in pairs
        ),
        encoding="utf-8",
    )
    arguments = AbsRerankerDataArguments(
        train_data=[str(file)], cache_path=str(work / "cache"), train_group_size=len(pairs[0].passages), **RERANKER
    )
    dataset = AbsLLMRerankerTrainDataset(arguments, words)
    return (dataset[row] for row in range(len(dataset)))


def _step(model: torch.nn.Module, batch: dict, device: torch.device) -> torch.Tensor:
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        loss = model(**batch).loss
    loss.backward()
    return loss.detach()


@contextmanager
def _loading(module: ModuleType, name: str, model: torch.nn.Module) -> Iterator[None]:
    """Its classes insist on loading a folder: inside, what they load is a twin of `model`."""
    real = getattr(module, name)
    setattr(module, name, SimpleNamespace(from_pretrained=lambda *_, **__: twin(model)))
    try:
        yield
    finally:
        setattr(module, name, real)
