"""Adds a teacher's opinion to every mined pair, and drops the negatives that it takes for right answers."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from inference.engines.serving import Serving
from inference.reranking.kinds import open_reranker
from shared.task.tables import PAIR, TAUGHT


def score_groups(
    queries: pl.DataFrame, misconceptions: pl.DataFrame, groups: pl.DataFrame, teacher: Path, serving: Serving
) -> pl.DataFrame:
    """Taught: `groups` with the score of the merged reranker in `teacher` for every row."""
    with open_reranker(teacher, serving) as reranker:
        scores = reranker.score(queries, misconceptions, groups).values
    return groups.with_columns(scores.alias("teacher_score")).select(*TAUGHT.schema)


def mean_scores(taught: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """One taught table of several of the same rows: each score the mean of theirs.

    The softmax of mean logits is the teachers' geometric mean, so that none of them may rule a candidate in alone.
    """
    if len(taught) == 1:
        return taught[0]
    rows = pl.concat([one.select(*PAIR, "teacher_score") for one in taught])
    means = rows.group_by(PAIR).agg(pl.col("teacher_score").cast(pl.Float64).mean().cast(pl.Float32))
    return taught[0].drop("teacher_score").join(means, on=PAIR, how="left", maintain_order="left")


def drop_likely_right(taught: pl.DataFrame, margin: float, least: int) -> pl.DataFrame:
    """`taught` without the negatives that score more than their query's right answer less `margin`, in logits.

    With several right answers it is the one that scores least. A difference is meant the same for negative logits, of
    which a share such as 95 % would be larger. A query keeps its `least` negatives of the lowest scores in any case.
    """
    positive, score = pl.col("is_positive"), pl.col("teacher_score")
    bounds = taught.filter(positive).group_by("query_id").agg(bound=score.min() - margin)
    rows = taught.join(bounds, on="query_id").sort("query_id", "is_positive", "teacher_score", "misconception_id")
    lowest_first = pl.int_range(pl.len()).over("query_id")  # negatives in front of positives
    kept = rows.filter(positive | (score <= pl.col("bound")) | (lowest_first < least))
    return taught.join(kept, on=PAIR, how="semi", maintain_order="left")


def positive_mass(taught: pl.DataFrame) -> float:
    """The share of the teacher's softmax over a query's group that its right answers get, mean over the queries.

    Near 1, the teacher says no more than the label does.
    """
    score = pl.col("teacher_score").cast(pl.Float64)
    weight = (score - score.max()).exp()
    shares = taught.group_by("query_id").agg(share=weight.filter(pl.col("is_positive")).sum() / weight.sum())
    return float(shares.sort("query_id")["share"].mean())
