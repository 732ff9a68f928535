"""Picks hard negatives: misconceptions that the embedder ranks high for a query and that are not its answer."""

import numpy as np
import polars as pl

from shared.task.folds import alike, labelled_queries, labels_of, seed_of
from shared.task.tables import GROUPS, PAIR


def pick_negatives(
    queries: pl.DataFrame,
    candidates: pl.DataFrame,
    *,
    lowest: int,
    highest: int,
    count: int,
    seed: str,
) -> pl.DataFrame:
    """Groups: the positives of every labelled training query and `count` negatives from its ranks [lowest, highest).

    Ranks count from 0 and are cut out before the positives are dropped; the draw is without replacement and seeded by
    the query's name. Raises ValueError for a query whose window holds fewer than `count` negatives.
    """
    labelled = labels_of(labelled_queries(queries, "train")).select("query_id", "misconception_id")
    if labelled.is_empty():
        raise ValueError("no training row is labelled, so that nothing can be mined: fill in the labels of train.csv")
    asked = labelled.select("query_id").unique()
    window = candidates.filter(pl.col("rank") > lowest, pl.col("rank") <= highest)
    negatives = window.join(asked, on="query_id").join(labelled, on=PAIR, how="anti")
    there = candidates["misconception_id"].n_unique()
    drawn = [
        _draw(part.sort("rank"), query_id, count, seed, f"{there} misconceptions compete")
        for (query_id,), part in negatives.sort("query_id").group_by("query_id", maintain_order=True)
    ]
    if len(drawn) < len(asked):
        raise ValueError(
            f"{len(asked) - len(drawn)} queries have no candidate in ranks {lowest} to {highest}, and {there} "
            "misconceptions compete: lower mine's lowest, or let more compete (negatives=catalogue)"
        )
    positives = labelled.join(candidates, on=["query_id", "misconception_id"], how="left")
    rows = pl.concat(
        [positives.with_columns(is_positive=pl.lit(True)), pl.concat(drawn).with_columns(is_positive=pl.lit(False))],
        how="diagonal",
    )
    return rows.select(*GROUPS.schema).sort("query_id", pl.col("is_positive").not_(), "rank", "misconception_id")


def few_negatives(
    queries: pl.DataFrame, candidates: pl.DataFrame, *, lowest: int, highest: int, count: int
) -> list[str]:
    """The labelled training queries for which `pick_negatives` would find fewer than `count` negatives."""
    labelled = labels_of(labelled_queries(queries, "train")).select("query_id", "misconception_id")
    window = candidates.filter(pl.col("rank") > lowest, pl.col("rank") <= highest).join(labelled, on=PAIR, how="anti")
    enough = window.group_by("query_id").len().filter(pl.col("len") >= max(count, 1))
    return sorted(set(labelled["query_id"]) - set(enough["query_id"]))


def drop_twins(candidates: pl.DataFrame, queries: pl.DataFrame, misconceptions: pl.DataFrame) -> pl.DataFrame:
    """`candidates` without those that have the words of a query's answer and another id: they are no negatives."""
    words = pl.col("misconception_id").replace(alike(misconceptions))
    answers = queries.drop_nulls("misconception_id").select("query_id", answer="misconception_id", words=words)
    found = candidates.with_columns(words=words)
    twins = found.join(answers, on=["query_id", "words"]).filter(pl.col("answer") != pl.col("misconception_id"))
    return candidates.join(twins, on=PAIR, how="anti", maintain_order="left")


def add_siblings(groups: pl.DataFrame, siblings: pl.DataFrame, candidates: pl.DataFrame) -> pl.DataFrame:
    """`groups` with each pair of `siblings` (query_id, misconception_id) as a further negative of its query.

    A pair has the rank and score that `candidates` gives it, or none. Pairs that the groups have stay as they are.
    """
    wanted = siblings.join(groups, on="query_id", how="semi").join(groups, on=PAIR, how="anti")
    further = wanted.join(candidates, on=PAIR, how="left").with_columns(is_positive=pl.lit(False))
    rows = pl.concat([groups, further.select(*GROUPS.schema)])
    return rows.sort("query_id", pl.col("is_positive").not_(), "rank", "misconception_id", nulls_last=True)


def add_random(
    groups: pl.DataFrame, queries: pl.DataFrame, candidates: pl.DataFrame, *, lowest: int, count: int, seed: str
) -> pl.DataFrame:
    """`groups` with `count` further negatives of every query, drawn from all its `candidates` behind `lowest`.

    None is a right answer of `queries`, nor one that the groups have. The draw is seeded by the query's name. Raises
    ValueError for a query with fewer left.
    """
    if not count:
        return groups
    left = candidates.filter(pl.col("rank") > lowest).join(groups, on=PAIR, how="anti")
    left = left.join(groups, on="query_id", how="semi").join(labels_of(queries), on=PAIR, how="anti").sort("rank")
    parts = left.partition_by("query_id", as_dict=True)
    drawn = []
    for query_id in groups["query_id"].unique().sort():
        part = parts.get((query_id,), left.clear())
        if len(part) < count:
            raise ValueError(
                f"query {query_id} has {len(part)} more negatives behind mine's lowest, and random asks for {count}: "
                "lower random"
            )
        rows = np.random.default_rng(seed_of(seed, query_id, "random")).choice(len(part), count, replace=False)
        drawn.append(part[sorted(rows.tolist())].with_columns(is_positive=pl.lit(False)))
    return pl.concat([groups, *(part.select(*GROUPS.schema) for part in drawn)]).sort(
        "query_id", pl.col("is_positive").not_(), "rank", "misconception_id", nulls_last=True
    )


def _draw(part: pl.DataFrame, query_id: str, count: int, seed: str, there: str) -> pl.DataFrame:
    if len(part) < count:
        raise ValueError(
            f"query {query_id} has {len(part)} negatives between mine's lowest and highest, count asks for {count}, "
            f"and {there}: lower count, or widen the window if more compete than it holds"
        )
    rows = np.random.default_rng(seed_of(seed, query_id)).choice(len(part), count, replace=False)
    return part[sorted(rows.tolist())]
