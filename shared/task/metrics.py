"""Measures rankings: the task's metric, recall@k, seen against unseen misconceptions, with bootstrap intervals.

Labels are rows of (query_id, misconception_id), several for a query that has several right answers, and so are ranks.
A query counts as seen where all of its right answers are. A metric that is not said is that of the task.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from shared.task.current import TASK
from shared.task.folds import labels_of, seed_of
from shared.task.splits import UNSEEN
from shared.task.task import Metric


def find_ranks(labels: pl.DataFrame, ranked: pl.DataFrame) -> pl.DataFrame:
    """Rank of every right misconception: query_id, question_id, misconception_id[, grade], rank (null: absent).

    `labels` are queries, or rows with the three ids, null where nobody labelled a query; `ranked` has query_id,
    misconception_id and rank, 1 the best.
    """
    return labels_of(labels).join(
        ranked.select("query_id", "misconception_id", "rank"),
        on=["query_id", "misconception_id"],
        how="left",
        maintain_order="left",
    )


def score_queries(ranks: pl.DataFrame, metric: Metric | None = None) -> pl.Series:
    """The metric's figure of each query in `ranks` (from find_ranks), in the order of their first rows.

    Without a column `grade` every right answer has grade 1.
    """
    metric = metric or TASK.metric
    grade = pl.col("grade") if "grade" in ranks.columns else pl.lit(1, pl.Int64).alias("grade")
    rows = ranks.select("query_id", pl.col("rank").cast(pl.Float64).fill_null(np.inf), grade)
    groups = rows.group_by("query_id", maintain_order=True).agg("rank", "grade")
    counts = groups["rank"].list.len().to_numpy()
    places, grades = (
        np.full((len(groups), counts.max(initial=0)), np.inf),
        np.zeros((len(groups), counts.max(initial=0))),
    )
    inside = np.arange(places.shape[1]) < counts[:, None]
    places[inside], grades[inside] = groups["rank"].explode().to_numpy(), groups["grade"].explode().to_numpy()
    return pl.Series("figure", metric.of_ranks(places, grades, metric.depth))


def summarise(
    ranks: pl.DataFrame,
    seen: set[int],
    *,
    unseen_weight: float | None = UNSEEN,
    recall_at: int | None = None,
    resamples: int = 1000,
    metric: Metric | None = None,
) -> dict[str, dict]:
    """The metric and recall of `ranks` (from find_ranks) for all, seen, unseen, and both weighted by `unseen_weight`.

    Each is {"map@25" (the metric's key), "recall@k", "low", "high", "pairs"}; low and high hold 95 % of the metric when
    whole questions are drawn again. A part without pairs is left out; no pairs at all give {}. Recall is the share of
    the pairs that stand so high, at the metric's depth unless `recall_at` says another. Without a weight the weighted
    figures are those of all.
    """
    if ranks.is_empty():
        return {}
    metric = metric or TASK.metric
    recall_at = recall_at or metric.depth
    is_seen = pl.col("misconception_id").is_in(sorted(seen)).all().over("query_id")
    rows = ranks.with_columns(is_seen.alias("seen"))
    found = (rows["rank"] <= recall_at).fill_null(False).to_numpy()
    recalls = {part: found[inside].mean() for part, inside in _parts(rows).items()}
    pairs = {part: int(inside.sum()) for part, inside in _parts(rows).items()} | {"weighted": len(rows)}
    recalls |= _weighted(recalls, unseen_weight)
    figures = {}
    for part, maps in resample_maps([rows], unseen_weight=unseen_weight, resamples=resamples, metric=metric).items():
        low, high = interval(maps[0])
        figures[part] = {
            metric.key: float(maps[0, 0]),
            f"recall@{recall_at}": float(recalls[part]),
            "low": low,
            "high": high,
            "pairs": pairs[part],
        }
    return figures


def resample_maps(
    tables: Sequence[pl.DataFrame],
    *,
    unseen_weight: float | None = UNSEEN,
    resamples: int = 1000,
    metric: Metric | None = None,
) -> dict[str, np.ndarray]:
    """`resample_means` of the metric of each of `tables`, which hold one ranking's rows of RANKS."""
    figures = [_by_query(table).with_columns(figure=score_queries(table, metric)) for table in tables]
    return resample_means(figures, unseen_weight=unseen_weight, resamples=resamples)


def resample_means(
    tables: Sequence[pl.DataFrame], *, unseen_weight: float | None = UNSEEN, resamples: int = 1000
) -> dict[str, np.ndarray]:
    """Mean figure of every table (question_id, seen, figure), a row for each query: {part: [tables, 1 + resamples]}.

    Column 0 is the figure itself. In each other column whole questions are drawn with replacement, the same ones in
    every table: a difference or a mean of tables within a column keeps what they have in common. The parts are all,
    seen, unseen and weighted; one that a table has no pairs of is left out.
    """
    questions = np.unique(np.concatenate([table["question_id"].to_numpy() for table in tables]))
    even = np.full(len(questions), 1 / len(questions))
    drawn = np.random.default_rng(seed_of("bootstrap")).multinomial(len(questions), even, size=resamples)
    counts = np.vstack([np.ones_like(drawn[:1]), drawn])
    rows = [_part_means(table, counts, questions) for table in tables]
    maps = {part: np.stack([row[part] for row in rows]) for part in rows[0] if all(part in row for row in rows)}
    return maps | _weighted(maps, unseen_weight)


def interval(values: np.ndarray) -> tuple[float, float]:
    """What holds 95 % of the resamples in a row of `resample_means`."""
    low, high = np.percentile(values[1:], [2.5, 97.5])
    return float(low), float(high)


def _weighted(parts: dict, unseen_weight: float | None) -> dict:
    """{"weighted": ...} of {part: figures}; {} where it needs seen and unseen pairs and there are no such."""
    if unseen_weight is None:
        return {"weighted": parts["all"]} if "all" in parts else {}
    if "seen" not in parts or "unseen" not in parts:
        return {}
    return {"weighted": (1 - unseen_weight) * parts["seen"] + unseen_weight * parts["unseen"]}


def _by_query(ranks: pl.DataFrame) -> pl.DataFrame:
    return ranks.group_by("query_id", maintain_order=True).agg(pl.col("question_id").first(), pl.col("seen").all())


def _parts(rows: pl.DataFrame) -> dict[str, np.ndarray]:
    seen = rows["seen"].to_numpy()
    parts = {"all": np.ones_like(seen), "seen": seen, "unseen": ~seen}
    return {part: inside for part, inside in parts.items() if inside.any()}


def _part_means(rows: pl.DataFrame, counts: np.ndarray, questions: np.ndarray) -> dict[str, np.ndarray]:
    """{part: [columns of `counts`]}; a resample without any row of a tiny part counts as 0."""
    figures = rows["figure"].to_numpy()
    times = counts[:, np.searchsorted(questions, rows["question_id"].to_numpy())]
    return {
        part: times[:, inside] @ figures[inside] / np.maximum(times[:, inside].sum(1), 1)
        for part, inside in _parts(rows).items()
    }


def mean_figures(
    tables: Sequence[pl.DataFrame], figures: Sequence[str], resamples: int
) -> dict[str, tuple[float, float, float]]:
    """{figure: (mean over `tables`, low, high)} of columns of tables with a question_id, such as SIBLINGS.

    A table has one row for a question. Low and high hold 95 % of the resamples of the questions, the same ones in every
    table. A figure that a table has no value of is left out.
    """
    found = {}
    for figure in figures:
        if (means := resample_figure(tables, figure, resamples)) is not None:
            found[figure] = (float(means.mean(0)[0]), *interval(means.mean(0)))
    return found


def resample_figure(tables: Sequence[pl.DataFrame], figure: str, resamples: int) -> np.ndarray | None:
    """[tables, 1 + resamples] means of a column, as in `resample_means`; None where a table has no value there."""
    value = pl.col(figure).cast(pl.Float64)
    rows = [table.drop_nulls(figure).select("question_id", seen=pl.lit(True), figure=value) for table in tables]
    if not rows or any(part.is_empty() for part in rows):
        return None
    return resample_means(rows, resamples=resamples)["all"]


def kendall_tau(one: np.ndarray, other: np.ndarray) -> float:
    """Share of pairs that two rows of scores [N], N >= 2, put in the same order, less that of those they do not.

    A pair that is tied counts as neither (tau-a). scipy's tau-b leaves such pairs out: ties that come from rounding to
    16 or 4 bits would cost nothing there, and scores that are all the same give nan.
    """
    upper = np.triu_indices(len(one), 1)
    return float(np.mean(np.sign(one[:, None] - one)[upper] * np.sign(other[:, None] - other)[upper]))
