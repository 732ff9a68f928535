"""Blends what several models say of the same queries into one list, and puts a list in order. By ids, never by text."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from inference.fusion.ensemble import Average
from shared.task.tables import CANDIDATES, PAIR, RANKED

SMOOTH = 60  # of the reciprocal rank, 1 / (60 + rank): Cormack, Clarke and Buettcher, SIGIR 2009


def candidate_table(query_ids: pl.Series, found: np.ndarray, scores: np.ndarray) -> pl.DataFrame:
    """Candidates from ids and scores [queries, k], best first."""
    k = found.shape[1]
    columns = {
        "query_id": np.repeat(query_ids.to_numpy(), k),
        "misconception_id": found.ravel(),
        "rank": np.tile(np.arange(1, k + 1), len(query_ids)),
        "retrieval_score": scores.ravel(),
    }
    return pl.DataFrame(columns, schema=CANDIDATES.schema)


def blend_candidates(
    tables: Sequence[pl.DataFrame], weights: Sequence[float], average: Average, k: int
) -> pl.DataFrame:
    """Candidates (k of each query, best first) of several embedders' candidates; ties go to the lower id.

    "score": each list is standardised within its query, for two embedders' similarities have different spreads; the
    weighted mean is given in the first list's units. "rank": the weighted mean of 1 / (60 + rank).
    What a list lacks counts as its last, in "rank" as one below; a list without a query says nothing of it. A single
    list stays as it is.
    """
    score = "retrieval_score"
    if len(tables) == 1:
        return tables[0].filter(pl.col("rank") <= k)
    if average == "rank":
        return _cut(_weighted_mean([_reciprocal_ranks(table, score) for table in tables], weights, score), k)
    mean, spread = pl.col(score).mean().over("query_id"), pl.col(score).std(ddof=0).over("query_id")
    wide = [table.with_columns(pl.col(score).cast(pl.Float64)) for table in tables]
    standard = [
        table.select(*PAIR, pl.when(spread > 0).then((pl.col(score) - mean) / spread).otherwise(0.0).alias(score))
        for table in wide
    ]
    blended = _weighted_mean([_with_floor(table, score) for table in standard], weights, score)
    units = wide[0].group_by("query_id").agg(mean=pl.col(score).mean(), spread=pl.col(score).std(ddof=0))
    known = blended.join(units, on="query_id", how="left", maintain_order="left")
    value = pl.col(score) * pl.col("spread").fill_null(1.0) + pl.col("mean").fill_null(0.0)
    return _cut(known.with_columns(value.alias(score)), k)


def blend_scores(tables: Sequence[pl.DataFrame], weights: Sequence[float], average: Average) -> pl.DataFrame:
    """query_id, misconception_id, rerank_score of several rerankers' tables of these columns, sorted by the ids.

    "score": the weighted mean of the logits, which are log-odds up to a constant of the query: no standardising.
    "rank": the weighted mean of 1 / (60 + rank). What a table lacks, and a single table: as in `blend_candidates`.
    A null is a pair without an answer, of which its table says nothing; what nobody has an answer to stays null.
    """
    score = "rerank_score"
    if len(tables) == 1:
        return tables[0].sort(PAIR)
    ready = [_reciprocal_ranks(table, score) if average == "rank" else _with_floor(table, score) for table in tables]
    return _weighted_mean(ready, weights, score).with_columns(pl.col(score).cast(pl.Float32))


def put_in_order(candidates: pl.DataFrame, scored: pl.DataFrame, head: pl.Expr, tail: pl.Expr) -> pl.DataFrame:
    """Ranked from `candidates` and `scored` (query_id, misconception_id, rerank_score): what was scored, then the rest.

    `head` orders what was scored and `tail` the rest, the highest first; equal ones go to the lower id. A pair whose
    score is null had no answer: it keeps the rank that it has among the candidates, and the others go around it.
    """
    lost = scored.filter(pl.col("rerank_score").is_null()).select(PAIR)
    if len(lost):
        others = candidates.join(lost, on=PAIR, how="anti", maintain_order="left")
        ranked = put_in_order(others, scored.drop_nulls("rerank_score"), head, tail)
        places = others.sort("query_id", "rank")["rank"]  # as many of each query, in the order that `ranked` has
        kept = candidates.join(lost, on=PAIR, how="semi").with_columns(pl.lit(None, pl.Float32).alias("rerank_score"))
        both = pl.concat([ranked.with_columns(places), kept.select(ranked.columns)])
        return both.sort("query_id", "rank")
    joined = candidates.join(scored.select(*PAIR, "rerank_score"), on=PAIR, how="left")
    unscored = pl.col("rerank_score").is_null()
    value = pl.when(unscored).then(tail.cast(pl.Float64)).otherwise(head.cast(pl.Float64))
    ordered = joined.with_columns(unscored.alias("unscored"), value.alias("value")).sort(
        "query_id", "unscored", "value", "misconception_id", descending=[False, False, True, False]
    )
    rank = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("query_id")
    return ordered.with_columns(rank.alias("rank")).select(*RANKED.schema)


def _reciprocal_ranks(table: pl.DataFrame, score: str) -> pl.DataFrame:
    """`table` with 1 / (60 + rank) for its score, and what an id gets that it lacks: one rank below its last."""
    ordered = table.sort("query_id", score, "misconception_id", descending=[False, True, False], nulls_last=True)
    rank = pl.int_range(1, pl.len() + 1).over("query_id")
    below = 1 / (SMOOTH + 1 + pl.col(score).count().over("query_id"))
    own = pl.when(pl.col(score).is_not_null()).then(1 / (SMOOTH + rank))
    return ordered.select(*PAIR, own.alias(score), below.alias("floor"))


def _with_floor(table: pl.DataFrame, score: str) -> pl.DataFrame:
    value = pl.col(score).cast(pl.Float64)
    return table.select(*PAIR, value.alias(score), value.min().over("query_id").alias("floor"))


def _weighted_mean(tables: Sequence[pl.DataFrame], weights: Sequence[float], score: str) -> pl.DataFrame:
    """query_id, misconception_id and the mean of `score` over the tables that have the query, sorted by the ids."""
    pairs = pl.concat([table.select(PAIR) for table in tables]).unique().sort(PAIR)
    total, share = pl.Series("total", [0.0]), pl.Series("share", [0.0])
    for table, weight in zip(tables, weights, strict=True):
        floors = table.select("query_id", "floor").unique("query_id")
        found = pairs.join(floors, on="query_id", how="left", maintain_order="left").join(
            table.select(*PAIR, score, pl.lit(True).alias("there")), on=PAIR, how="left", maintain_order="left"
        )
        value = found.select(pl.when("there").then(score).otherwise("floor")).to_series()
        total = total + weight * value.fill_null(0.0)
        share = share + weight * value.is_not_null().cast(pl.Float64)
    return pairs.with_columns((total / share).fill_nan(None).alias(score))  # 0 / 0: of nobody


def _cut(blended: pl.DataFrame, k: int) -> pl.DataFrame:
    """Candidates from pairs with a retrieval_score, rounded before it decides: the written scores explain the order."""
    rounded = blended.with_columns(pl.col("retrieval_score").cast(pl.Float32))
    ordered = rounded.sort("query_id", "retrieval_score", "misconception_id", descending=[False, True, False])
    rank = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("query_id")
    return ordered.with_columns(rank.alias("rank")).filter(pl.col("rank") <= k).select(*CANDIDATES.schema)
