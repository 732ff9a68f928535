"""Run by test_ranks.py, alone and by torchrun: does the same work and writes what each process came to.

python ranks_script.py TABLES EMBEDDER RERANKER OUT
"""

import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import torch

from inference.engines.distributed import joined_ranks, largest_over_ranks, rank, sum_over_ranks, world
from inference.engines.transformers.engine import HFEncoder, HFScorer, load_backbone, load_causal
from inference.retrieval.exact_search import QUERIES_AT_ONCE, search
from tests.training.tiny import (
    CPU,
    embedder_settings,
    make_embedder,
    make_reranker,
    randomise,
    reranker_settings,
    updates_of,
)
from training.trainer.loop import train
from training.trainer.lora import Masters
from training.trainer.memory.fsdp import shard_base

ROWS = [[2, *range(10, 10 + (place * 7) % 23), 3] for place in range(41)]  # ragged, in no order


def main(tables: Path, embedder: Path, reranker: Path, out: Path) -> None:
    frames = (pl.read_parquet(tables / "queries.parquet"), pl.read_parquet(tables / "misconceptions.parquet"))
    answers = {"world": world(), "largest": largest_over_ranks(3 + rank(), CPU), **_answers(embedder, reranker)}
    for kind, make, settings_of, folder in (
        ("embedder", make_embedder, embedder_settings, embedder),
        ("reranker", make_reranker, reranker_settings, reranker),
    ):
        settings = settings_of(epochs=3, dropout=0.1)
        model, objective = make(folder, frames, settings)
        answers[f"{kind} figures"] = objective.evaluate() if not model.eval().training else None
        updates = updates_of(*frames, settings)
        update, all_four = updates[0], [group for some in updates for group in some]
        for name, changes in {"both terms": {}, "hard term": {"distill": 0.0}}.items():
            objective.settings = settings.model_copy(update=changes)
            answers[f"{kind} gradient, {name}"] = _gradient(randomise(model).train(), objective, update)
        answers[f"{kind} gradient, one group"] = _one_group(make, folder, frames, settings, update[:1])
        answers[f"{kind} gradient, sharded"] = _sharded(make, folder, frames, settings, all_four)
        model, objective = make(folder, frames, settings)
        epochs = lambda epoch, settings=settings: updates_of(*frames, settings, epoch)  # noqa: E731
        history = train(model, objective, epochs, settings, out / f"{kind} work", "mine")
        answers[f"{kind} losses"] = [figures["loss"] for figures in history[1:]]
    (out / f"answers_{rank()}.json").write_text(json.dumps(answers), encoding="utf-8")


def _answers(embedder: Path, reranker: Path) -> dict:
    vectors = HFEncoder(load_backbone(embedder, "float32", CPU), "last", 64).encode(ROWS)
    pairs = [[*row, *other[1:]] for place, row in enumerate(ROWS) for other in ROWS[place : place + 3]]
    scores = HFScorer(load_causal(reranker, "float32", CPU), 101, 128).score(pairs)
    asked, known = np.random.default_rng(0).standard_normal((3 * QUERIES_AT_ONCE, 8), np.float32), vectors[:, :8]
    nearest, products = search(asked, known, np.arange(len(known)), 3)
    found = {"vectors": vectors, "scores": scores, "nearest": nearest, "products": products}
    return {name: values.tolist() for name, values in found.items()}


def _one_group(make, folder, frames, settings, update) -> dict:
    """An update with fewer micro-batches than there are processes."""
    model, objective = make(folder, frames, settings, dtype="float32")
    return _gradient(randomise(model).train(), objective, update)


def _sharded(make, folder, frames, settings, update) -> dict:
    """The gradient, and the figures, of a model whose base is spread over the processes.

    Each of one, two or four processes has as many of the four groups: one without a pass would be waited for.
    """
    model, objective = make(folder, frames, settings)
    if world() > 1:
        shard_base(objective.model, CPU)
    objective.settings = settings
    answers = _gradient(randomise(model).train(), objective, update)
    model.eval()
    return {**answers, "figures": objective.evaluate()}


def _gradient(model, objective, update) -> dict:
    """Loss and gradient of an update, shared out and summed up as training/trainer/update.py does it."""
    masters = Masters(model)
    micros = [[place] for place in range(len(update))]
    loss = objective.accumulate(update, micros[rank() :: world()], masters.collect, "seed")
    gradient = sum_over_ranks(masters.weights.grad).tolist()
    return {"loss": sum_over_ranks(torch.tensor(loss, dtype=torch.float64)).item(), "gradient": gradient}


if __name__ == "__main__":
    torch.set_num_threads(1)
    with joined_ranks("cpu"):
        main(*map(Path, sys.argv[1:]))
