"""Orders the candidates of every query by the reranker's logit of "Yes"."""

from pathlib import Path

import polars as pl

from inference.engines.open import open_scorer
from inference.engines.protocols import Scorer
from inference.engines.tokenizer import load_tokenizer, reranker_words
from inference.fusion.blend import put_in_order
from inference.machine.profiles import Profile
from shared.artifacts.card import read_reranker_card
from shared.prompts.pointwise import RerankerPrompt, reranker_passage, reranker_query
from shared.prompts.query import row_text
from shared.prompts.words import Words
from shared.settings.sections import Engine


def rerank(
    queries: pl.DataFrame,
    misconceptions: pl.DataFrame,
    candidates: pl.DataFrame,
    folder: Path,
    *,
    engine: Engine,
    profile: Profile,
    depth: int,
) -> pl.DataFrame:
    """Ranked: a query's first `depth` candidates as the reranker in `folder` orders them, then the rest as before."""
    near = candidates.filter(pl.col("rank") <= depth)
    scores = score_with(queries, misconceptions, near, folder, engine=engine, profile=profile)
    return order_by_score(candidates, near.select("query_id", "misconception_id").with_columns(scores))


def score_with(
    queries: pl.DataFrame,
    misconceptions: pl.DataFrame,
    pairs: pl.DataFrame,
    folder: Path,
    *,
    engine: Engine,
    profile: Profile,
) -> pl.Series:
    """`rerank_score` of each row of `pairs` (query_id, misconception_id) by the reranker in `folder`, freed after."""
    card, words = read_reranker_card(folder), reranker_words(load_tokenizer(folder))
    with open_scorer(engine, folder, profile) as scorer:
        return score_pairs(queries, misconceptions, pairs, scorer, words, card.prompt)


def score_pairs(
    queries: pl.DataFrame,
    misconceptions: pl.DataFrame,
    pairs: pl.DataFrame,
    scorer: Scorer,
    words: Words,
    prompt: RerankerPrompt,
) -> pl.Series:
    """`rerank_score` of every row of `pairs` by a loaded scorer, in the order of the rows. A text is tokenised once."""
    asked = {
        row["query_id"]: reranker_query(words, prompt, row_text(row))
        for row in queries.filter(pl.col("query_id").is_in(pairs["query_id"].unique().implode())).iter_rows(named=True)
    }
    known = {
        id_: reranker_passage(words, prompt, text)
        for id_, text in misconceptions.select("misconception_id", "text")
        .filter(pl.col("misconception_id").is_in(pairs["misconception_id"].unique().implode()))
        .iter_rows()
    }
    rows = pairs.select("query_id", "misconception_id").iter_rows()
    scores = scorer.score([[*asked[query_id], *known[id_]] for query_id, id_ in rows])
    return pl.Series("rerank_score", scores, dtype=pl.Float32)


def count_tokens(
    queries: pl.DataFrame, misconceptions: pl.DataFrame, pairs: pl.DataFrame, words: Words, prompt: RerankerPrompt
) -> tuple[int, int]:
    """Tokens of the queries of `pairs`, each once, and of their candidates, each behind its query."""
    asked = queries.join(pairs.select("query_id").unique(), on="query_id", how="semi")
    query_tokens = sum(len(reranker_query(words, prompt, row_text(row))) for row in asked.iter_rows(named=True))
    often = pairs.group_by("misconception_id").len().join(misconceptions, on="misconception_id")
    rows = often.select("text", "len").iter_rows()
    return query_tokens, sum(len(reranker_passage(words, prompt, text)) * count for text, count in rows)


def order_by_score(candidates: pl.DataFrame, scored: pl.DataFrame) -> pl.DataFrame:
    """Ranked from `candidates` and `scored` (query_id, misconception_id, rerank_score): scored ones first, best first.

    Equal scores go to the lower id; what was not scored keeps its order behind them.
    """
    return put_in_order(candidates, scored, pl.col("rerank_score"), -pl.col("rank"))
