"""Measures rankings: MAP@25, recall@k, seen against unseen misconceptions, with bootstrap intervals over questions."""

import numpy as np
import polars as pl

from shared.folds import seed_of
from shared.settings import UNSEEN

K = 25  # the competition scores the first 25


def find_ranks(queries: pl.DataFrame, ranked: pl.DataFrame) -> pl.DataFrame:
    """Rank of every labelled query's right misconception: query_id, question_id, misconception_id, rank (null: absent).

    `ranked` has query_id, misconception_id and rank, 1 the best.
    """
    labelled = queries.drop_nulls("misconception_id").select("query_id", "question_id", "misconception_id")
    return labelled.join(
        ranked.select("query_id", "misconception_id", "rank"),
        on=["query_id", "misconception_id"],
        how="left",
        maintain_order="left",
    )


def average_precision(rank: pl.Expr) -> pl.Expr:
    """AP@25 of a query with one right answer: 1 / rank, 0 below rank 25 or where it is absent."""
    return pl.when(rank <= K).then(1 / rank).otherwise(0.0)


def summarise(
    ranks: pl.DataFrame, seen: set[int], *, unseen_weight: float = UNSEEN, recall_at: int = K, resamples: int = 1000
) -> dict[str, dict]:
    """MAP@25 and recall of `ranks` (from find_ranks) for all, seen, unseen, and both weighted as `unseen_weight` says.

    Each is {"map@25", "recall@k", "low", "high", "pairs"}; low and high hold 95 % of MAP@25 when whole questions are
    drawn again. A part without pairs is left out; no pairs at all give {}.
    """
    if ranks.is_empty():
        return {}
    rows = ranks.with_columns(
        average_precision(pl.col("rank")).alias("ap"),
        (pl.col("rank") <= recall_at).fill_null(False).cast(pl.Float64).alias("recall"),
        pl.col("misconception_id").is_in(sorted(seen)).alias("seen"),
    )
    is_seen = rows["seen"].to_numpy()
    weights = {"all": np.ones(len(rows)), "seen": is_seen.astype(float), "unseen": (~is_seen).astype(float)}
    draws = _draw_questions(rows["question_id"].to_numpy(), resamples)
    parts = {
        name: _part(rows["ap"].to_numpy(), rows["recall"].to_numpy(), weight, draws)
        for name, weight in weights.items()
        if weight.any()
    }
    if "seen" in parts and "unseen" in parts:
        parts["weighted"] = {
            key: (1 - unseen_weight) * parts["seen"][key] + unseen_weight * parts["unseen"][key]
            for key in ("map", "recall", "draws")
        }
        parts["weighted"]["pairs"] = len(rows)
    return {name: _figures(part, recall_at) for name, part in parts.items()}


def _draw_questions(questions: np.ndarray, resamples: int) -> np.ndarray:
    """How often each row is drawn, [resamples, rows], when whole questions are drawn with replacement."""
    unique, row_question = np.unique(questions, return_inverse=True)
    rng = np.random.default_rng(seed_of("bootstrap"))
    counts = rng.multinomial(len(unique), np.full(len(unique), 1 / len(unique)), size=resamples)
    return counts[:, row_question]


def _part(ap: np.ndarray, recall: np.ndarray, weight: np.ndarray, draws: np.ndarray) -> dict:
    drawn = draws * weight
    totals = drawn.sum(1)
    means = drawn @ ap / np.maximum(totals, 1)  # a resample without any row of a tiny part counts as 0
    return {
        "map": np.average(ap, weights=weight),
        "recall": np.average(recall, weights=weight),
        "draws": means,
        "pairs": int(weight.sum()),
    }


def _figures(part: dict, recall_at: int) -> dict[str, float]:
    low, high = np.percentile(part["draws"], [2.5, 97.5])
    return {
        "map@25": float(part["map"]),
        f"recall@{recall_at}": float(part["recall"]),
        "low": float(low),
        "high": float(high),
        "pairs": part["pairs"],
    }
