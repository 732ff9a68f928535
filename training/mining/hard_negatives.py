"""Picks hard negatives: misconceptions that the embedder ranks high for a query and that are not its answer."""

import numpy as np
import polars as pl

from shared.task.folds import labelled_queries, labels_of, seed_of
from shared.task.tables import GROUPS


def pick_negatives(
    queries: pl.DataFrame, candidates: pl.DataFrame, *, lowest: int, highest: int, count: int, seed: str
) -> pl.DataFrame:
    """Groups: the positives of every labelled training query and `count` negatives from its ranks [lowest, highest).

    Ranks count from 0 and are cut out before the positives are dropped, by their ids; the draw is without replacement
    and seeded by the query's name. Raises ValueError for a query whose window holds fewer than `count` negatives.
    """
    labelled = labels_of(labelled_queries(queries, "train")).select("query_id", "misconception_id")
    asked = labelled.select("query_id").unique()
    window = candidates.filter(pl.col("rank") > lowest, pl.col("rank") <= highest)
    negatives = window.join(asked, on="query_id").join(labelled, on=["query_id", "misconception_id"], how="anti")
    drawn = [
        _draw(part.sort("rank"), query_id, count, seed)
        for (query_id,), part in negatives.sort("query_id").group_by("query_id", maintain_order=True)
    ]
    if len(drawn) < len(asked):
        raise ValueError(
            f"{len(asked) - len(drawn)} queries have no candidate in ranks {lowest} to {highest}: "
            "widen mine's lowest and highest"
        )
    positives = labelled.join(candidates, on=["query_id", "misconception_id"], how="left")
    rows = pl.concat(
        [positives.with_columns(is_positive=pl.lit(True)), pl.concat(drawn).with_columns(is_positive=pl.lit(False))],
        how="diagonal",
    )
    return rows.select(*GROUPS.schema).sort("query_id", pl.col("is_positive").not_(), "rank", "misconception_id")


def _draw(part: pl.DataFrame, query_id: str, count: int, seed: str) -> pl.DataFrame:
    if len(part) < count:
        raise ValueError(
            f"query {query_id} has {len(part)} negatives between mine's lowest and highest, "
            f"count asks for {count}: widen the window"
        )
    rows = np.random.default_rng(seed_of(seed, query_id)).choice(len(part), count, replace=False)
    return part[sorted(rows.tolist())]
