"""Adds the previous iteration's reranker's opinion to every mined pair."""

from pathlib import Path

import polars as pl

from inference.engines.serving import Serving
from inference.reranking.kinds import open_reranker
from shared.task.tables import TAUGHT


def teach(
    queries: pl.DataFrame, misconceptions: pl.DataFrame, groups: pl.DataFrame, teacher: Path, serving: Serving
) -> pl.DataFrame:
    """Taught: `groups` with the score of the merged reranker in `teacher` for every row."""
    with open_reranker(teacher, serving) as reranker:
        scores = reranker.score(queries, misconceptions, groups).values
    return groups.with_columns(scores.alias("teacher_score")).select(*TAUGHT.schema)
