"""Puts candidates in the order of a reranker's scores."""

import polars as pl

from inference.fusion.blend import put_in_order
from inference.reranking.protocols import Reranker
from shared.task.tables import PAIR


def rerank(
    reranker: Reranker, queries: pl.DataFrame, misconceptions: pl.DataFrame, candidates: pl.DataFrame, depth: int
) -> pl.DataFrame:
    """Ranked: a query's first `depth` candidates as `reranker` orders them, then the rest as before."""
    near = candidates.filter(pl.col("rank") <= depth)
    scores = reranker.score(queries, misconceptions, near).values
    return order_by_score(candidates, near.select(PAIR).with_columns(scores))


def order_by_score(candidates: pl.DataFrame, scored: pl.DataFrame) -> pl.DataFrame:
    """Ranked from `candidates` and `scored` (query_id, misconception_id, rerank_score): scored ones first, best first.

    Equal scores go to the lower id; what was not scored keeps its order behind them.
    """
    return put_in_order(candidates, scored, pl.col("rerank_score"), -pl.col("rank"))
