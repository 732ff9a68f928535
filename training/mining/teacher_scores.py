"""Adds the previous iteration's reranker's opinion to every mined pair."""

from pathlib import Path

import polars as pl

from inference.machine.profiles import Profile
from inference.reranking.pointwise import score_with
from shared.settings.sections import Engine
from shared.task.tables import TAUGHT


def teach(
    queries: pl.DataFrame,
    misconceptions: pl.DataFrame,
    groups: pl.DataFrame,
    teacher: Path,
    *,
    engine: Engine,
    profile: Profile,
) -> pl.DataFrame:
    """Taught: `groups` with the logit of "Yes" of the merged reranker in `teacher` for every row."""
    scores = score_with(queries, misconceptions, groups, teacher, engine=engine, profile=profile)
    return groups.with_columns(scores.alias("teacher_score")).select(*TAUGHT.schema)
