"""Finds the candidates of every query: encodes queries and misconceptions, then searches exactly."""

from collections.abc import Collection, Set
from pathlib import Path

import numpy as np
import polars as pl

from inference.engines.open import open_encoder
from inference.engines.serving import Serving
from inference.engines.tokenizer import embedder_words, load_tokenizer
from inference.fusion.blend import candidate_table
from inference.retrieval.catalogue_vectors import encode_misconceptions, read_vectors
from inference.retrieval.exact_search import search, search_shards
from inference.retrieval.sharded_corpus import read_corpus
from shared.artifacts.card import EmbedderCard
from shared.prompts.embedder import Example, embedder_query
from shared.prompts.query import query_of
from shared.prompts.words import Words
from shared.task.folds import right_ids


def retrieve(
    queries: pl.DataFrame,
    misconceptions: pl.DataFrame,
    folder: Path,
    card: EmbedderCard,
    serving: Serving,
    k: int,
) -> pl.DataFrame:
    """Candidates (k of each query, best first) from the embedder in `folder`, which is out of memory afterwards.

    Vectors of these misconceptions that came with the embedder are read; otherwise they are made, and a line says so.
    """
    words, known = embedder_words(load_tokenizer(folder)), read_vectors(misconceptions, folder)
    with open_encoder(serving.engine, folder, card.pooling, serving.profile) as encoder:
        if known is None:
            known = encode_misconceptions(misconceptions, encoder, words, card)
        asked = encoder.encode(query_prompts(queries, words, card))
    return find_candidates(queries, misconceptions, asked, known, k)


def find_candidates(
    queries: pl.DataFrame, misconceptions: pl.DataFrame, asked: np.ndarray, known: np.ndarray | Path, k: int
) -> pl.DataFrame:
    """Candidates (k of each query, best first) from the vectors of the queries, `asked`, and of the misconceptions.

    `known` may be the folder of a corpus instead, which is then read shard by shard.
    """
    if isinstance(known, Path):
        return candidate_table(queries["query_id"], *search_shards(asked, read_corpus(known), k))
    found, scores = search(asked, known, misconceptions["misconception_id"].to_numpy(), k)
    return candidate_table(queries["query_id"], found, scores)


def query_prompts(queries: pl.DataFrame, words: Words, card: EmbedderCard) -> list[list[int]]:
    """Token ids of every query behind its in-context examples."""
    prompts = []
    for row in queries.iter_rows(named=True):
        right = right_ids(row) if row["fold"] == "train" else frozenset[int]()
        examples = choose_examples(card, row["question_id"], right)
        text = query_of(row, card.prompt.rationale, card.prompt.layout)
        prompts.append(embedder_query(words, card.prompt, examples, text))
    return prompts


def choose_examples(card: EmbedderCard, question_id: int, right: Set[int]) -> list[Example]:
    """The card's first `shown` examples that neither share the question nor carry one of the `right` answers.

    All examples come from the training fold. A training query must not be shown its answers; those of any other query
    are unknown when the model serves, so they may not steer the choice: pass none.
    """
    allowed = (
        example for question, answer, example in card.examples if question != question_id and answer not in right
    )
    return [example for _, example in zip(range(card.shown), allowed, strict=False)]


def restrict(candidates: pl.DataFrame, ids: Collection[int], k: int) -> pl.DataFrame:
    """The first `k` candidates of every query that are among `ids`, ranked anew."""
    inside = candidates.filter(pl.col("misconception_id").is_in(list(ids)))
    rank = pl.col("rank").rank("ordinal").over("query_id").cast(pl.Int64)
    return inside.with_columns(rank).filter(pl.col("rank") <= k)
