"""Counts the tokens that each kind of reranker reads for a row, real queries with the candidates that BM25 finds.

    python -m benchmarks.inputs.reading [--competition data/eedi] [--model models/smollm2-135m] [--depth 25]

No model is run. What prompts begin with alike counts once, as the engines compute it.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from inference.engines.packing.prefix_forest import grow
from inference.engines.tokenizer import load_tokenizer, reranker_words
from shared.prompts.kinds import PROMPTS, reading_of
from shared.prompts.pointwise import INSTRUCTION, RerankerPrompt
from shared.prompts.query import Written, misconception_of, query_of
from shared.prompts.reading import cut_lists
from shared.prompts.words import Words
from shared.task.eedi import read_competition
from training.evaluation.baselines import rank_by_bm25
from training.run_folder.base_models import local_folder

EVERY = 20  # of the training rows one in so many is counted
WAYS = [("pointwise", {})] + [
    (kind, {"window": window, "orders": orders})
    for kind in ("cumulative", "listed")
    for window in (25, 16)
    for orders in (1, 2)
]


def main(competition: Path, model: str, depth: int) -> None:
    """Print a line for every kind, and place of the instruction: the mean of a row's tokens."""
    words, data = reranker_words(load_tokenizer(local_folder(model))), read_competition(competition)
    asked = data.train.sort("query_id")[::EVERY]
    near = rank_by_bm25(data.misconceptions, asked).filter(pl.col("rank") <= depth).sort("query_id", "rank")
    texts = {row["misconception_id"]: misconception_of(row) for row in data.misconceptions.iter_rows(named=True)}
    shown = dict(near.group_by("query_id").agg("misconception_id").iter_rows())
    print(f"{len(asked)} rows")
    for place in ("last", "first"):
        for kind, how in WAYS:
            prompt = PROMPTS[kind](384, 64, INSTRUCTION, instruction_place=place, **how)
            tokens = [
                count_tokens(
                    words, prompt, query_of(row), [texts[id_] for id_ in shown[row["query_id"]]], how.get("orders", 1)
                )
                for row in asked.iter_rows(named=True)
            ]
            said = ", ".join(f"{name} {value}" for name, value in how.items())
            print(f"instruction {place}: {kind} {said} {np.mean(tokens):.0f}", flush=True)


def count_tokens(words: Words, prompt: RerankerPrompt, query: Written, passages: Sequence[Written], orders: int) -> int:
    """Tokens that an engine computes for one row."""
    reading, rows = reading_of(prompt), []
    asked, parts = reading.query(words, prompt, query), [reading.candidate(words, prompt, one) for one in passages]
    for places in cut_lists(len(parts), reading.at_once(prompt)):
        own = [parts[place] for place in places]
        for order in (own, own[::-1])[:orders]:
            rows += reading.rows(words, prompt, asked, order).ids
    return sum(map(len, grow(rows, most=sum(map(len, rows)))))


if __name__ == "__main__":
    said = argparse.ArgumentParser()
    said.add_argument("--competition", type=Path, default=Path("data/eedi"))
    said.add_argument("--model", default="models/smollm2-135m")
    said.add_argument("--depth", type=int, default=25)
    main(**vars(said.parse_args()))
