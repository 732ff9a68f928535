"""Orders what a cascade of rerankers says: each reads fewer than the one before it, and what it read stays in front."""

from collections.abc import Sequence

import polars as pl

from inference.fusion.blend import blend_scores, put_in_order
from inference.fusion.calibration import Calibration, apply, calibrated
from inference.fusion.ensemble import Average
from shared.task.tables import PAIR, RANKED


def cut_behind_best(candidates: pl.DataFrame, gap: float | None) -> pl.DataFrame:
    """The rows of `candidates` (query_id, rerank_score, ...) whose score is within `gap` logits of their query's best.

    All rows of a query without a score stay, and without a gap all rows.
    """
    if gap is None:
        return candidates
    score = pl.col("rerank_score")
    best = score.max().over("query_id")
    return candidates.filter((score >= best - gap) | best.is_null())


def rank_in_cascade(
    candidates: pl.DataFrame,
    tables: Sequence[pl.DataFrame],
    weights: Sequence[float],
    average: Average,
    calibration: Calibration,
) -> pl.DataFrame:
    """Ranked from the scores of each reranker in turn (query_id, misconception_id, rerank_score).

    Those that a reranker read are ordered by the mean of its scores and all earlier ones, calibrated, and stand in
    front of the others, which keep their order. So no score is compared with that of a candidate which fewer read.
    """
    ranked = apply(candidates, blend_scores(tables[:1], weights[:1], average), calibration)
    for count in range(2, len(tables) + 1):
        read = tables[count - 1].select(PAIR)
        own = [table.join(read, on=PAIR, how="semi") for table in tables[:count]]
        scored, front = blend_scores(own, weights[:count], average), ranked.join(read, on=PAIR, how="semi")
        place = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("query_id", order_by="rank")
        front = front.drop("rerank_score").with_columns(rank=place)
        front = put_in_order(front, scored, calibrated(calibration), -pl.col("rank"))
        behind = ranked.join(read, on=PAIR, how="anti")
        both = pl.concat([front.with_columns(behind=False), behind.with_columns(behind=True)])
        ranked = both.sort("query_id", "behind", "rank").with_columns(
            rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("query_id")
        )
        ranked = ranked.select(*RANKED.schema)
    return ranked
