"""Says what one ranking loses against another of the same pairs: scores, order, MAP@25, seen and unseen apart."""

import polars as pl

from shared.task.current import TASK
from shared.task.metrics import find_ranks, kendall_tau, summarise


def compare(
    merged: pl.DataFrame, quantised: pl.DataFrame, valid: pl.DataFrame, seen: set[int], unseen_weight: float | None
) -> dict:
    """What two rankings (query_id, misconception_id, rank, score) of the same pairs differ by.

    Scores and Kendall's tau are of the first 25 of `merged`, query by query: what moves all of a query's scores alike
    moves no rank and is left out. `lost` is the fall of MAP@25 and of recall@25.
    """
    first = merged.filter(pl.col("rank") <= TASK.metric.depth).select("query_id", "misconception_id", before="score")
    both = first.join(
        quantised.select("query_id", "misconception_id", after="score"), on=["query_id", "misconception_id"]
    ).sort("query_id", "misconception_id")
    own = pl.col("before", "after") - pl.col("before", "after").mean().over("query_id")
    difference = both.select(own).select((pl.col("after") - pl.col("before")).abs()).to_series()
    taus = [
        kendall_tau(group["before"].to_numpy(), group["after"].to_numpy())
        for _, group in both.group_by("query_id", maintain_order=True)
        if len(group) > 1
    ]
    figures = [summarise(find_ranks(valid, table), seen, unseen_weight=unseen_weight) for table in (merged, quantised)]
    return {
        "score": {
            "spread": both.select(own)["before"].std(),
            "mean_difference": difference.mean(),
            "p99_difference": difference.quantile(0.99),
        },
        "kendall_tau": sum(taus) / len(taus),
        "merged": figures[0],
        "quantised": figures[1],
        "lost": {
            part: {
                name: figures[0][part][name] - figures[1][part][name]
                for name in (TASK.metric.key, TASK.metric.recall_key)
            }
            for part in figures[0]
        },
    }


def describe_loss(role: str, figures: dict) -> str:
    """The loss in a line."""
    part = "weighted" if "weighted" in figures["lost"] else "all"
    before, after = (figures[name][part][TASK.metric.key] for name in ("merged", "quantised"))
    sizes, score = figures["gib"], figures["score"]
    return (
        f"{role} in {figures['scheme']}: {sizes[0]:.2f} -> {sizes[1]:.2f} GiB, "
        f"{part} {TASK.metric.title} {before:.3f} -> {after:.3f}, Kendall's tau {figures['kendall_tau']:.3f}, "
        f"scores move by {score['mean_difference']:.3f} of a spread of {score['spread']:.3f}"
    )


def refuse_loss(figures: dict, most_lost: float) -> None:
    """Raise ValueError when MAP@25, test-weighted where there are seen and unseen pairs, falls by more."""
    part = "weighted" if "weighted" in figures["lost"] else "all"
    lost = figures["lost"][part][TASK.metric.key]
    if lost > most_lost:
        raise ValueError(
            f"{part} {TASK.metric.title} falls by {lost:.4f} with {figures['scheme']}, allowed are {most_lost} "
            "(quantize.most_lost); nothing was written: try another scheme, a smaller quantize.group, more samples"
        )
