"""Turns the tables of an evaluation into what the report draws. All of it is of the labelled pool, the headline's."""

import polars as pl

from shared.task.folds import labels_of
from shared.task.metrics import interval, resample_maps
from shared.task.tables import PAIR

POOL = "labelled"
RANK_BINS = ((1, 1), (2, 2), (3, 3), (4, 5), (6, 10), (11, 25), (26, 100), (101, 200))  # Both ends belong to a bin.
RECALL_DEPTHS = (1, 2, 3, 4, 5, 7, 10, 15, 20, 25, 35, 50, 75, 100, 150, 200)
PROBABILITY_BINS = 10


def of_ranking(ranks: pl.DataFrame, ranking: str) -> pl.DataFrame:
    """The rows of RANKS of one ranking of the labelled pool."""
    return ranks.filter(pl.col("pool") == POOL, pl.col("ranking") == ranking)


def by_subject(ranks: pl.DataFrame, queries: pl.DataFrame, *, least: int, most: int, resamples: int) -> list[dict]:
    """MAP@25 of one ranking's rows by subject, the best first: {"subject", "pairs", "map", "low", "high"}.

    Subjects of fewer than `least` pairs, and those behind the `most` largest, are one row, the last.
    """
    subject = pl.col("subject" if "subject" in queries.columns else "context").alias("subject")
    rows = ranks.join(queries.select("query_id", subject), on="query_id", how="left", maintain_order="left")
    sizes = rows.group_by("subject").len().sort(["len", "subject"], descending=[True, False])
    kept = sizes.filter(pl.col("len") >= least)["subject"].head(most).to_list()
    figures = [_subject(rows.filter(pl.col("subject") == subject), subject, resamples) for subject in kept]
    figures.sort(key=lambda row: -row["map"])
    rest = rows.filter(~pl.col("subject").is_in(kept))
    if len(rest):
        count = rest["subject"].n_unique()
        figures.append(_subject(rest, f"{count} smaller subject{'s' * (count > 1)} together", resamples))
    return figures


def bin_ranks(ranks: pl.DataFrame) -> list[dict]:
    """{"ranks", "pairs"} of one ranking's rows, for each of RANK_BINS and, last, for what is further down."""
    rank, found = pl.col("rank"), []
    for low, high in RANK_BINS:
        name = str(low) if low == high else f"{low}–{high}"
        found.append({"ranks": name, "pairs": ranks.filter((rank >= low) & (rank <= high)).height})
    further = ranks.filter(rank.is_null() | (rank > RANK_BINS[-1][1])).height
    return [*found, {"ranks": "further", "pairs": further}]


def recall_by_depth(ranks: pl.DataFrame, unseen_weight: float | None) -> list[dict]:
    """{"k", "recall"} of one ranking's rows: seen and unseen weighted as in the headline, if there are both."""
    if unseen_weight is None:
        parts = [(1.0, ranks)]
    else:
        parts = [(1 - unseen_weight, ranks.filter("seen")), (unseen_weight, ranks.filter(~pl.col("seen")))]
    parts = [(weight, part["rank"]) for weight, part in parts if len(part)]
    total = sum(weight for weight, _ in parts)
    return [
        {"k": k, "recall": sum(weight * (rank <= k).fill_null(False).mean() for weight, rank in parts) / total}
        for k in RECALL_DEPTHS
    ]


def with_probability(ranked: pl.DataFrame, queries: pl.DataFrame, depth: int) -> pl.DataFrame:
    """The reranked candidates of the labelled pool: query_id, misconception_id, rank, probability, right.

    These are the first `depth` retrieved; an evaluation scores others too, for the other pool and for calibration. A
    score is a logit of one word, no probability by itself: the probability is the softmax over the candidates of a
    query, which is what training fits.
    """
    answers = labels_of(queries).select(*PAIR, right=pl.lit(True))
    labelled = answers["misconception_id"].unique()
    score = pl.col("rerank_score").cast(pl.Float64)
    weight = (score - score.max().over("query_id")).exp()
    return (
        ranked.filter(pl.col("misconception_id").is_in(labelled.implode()))
        .sort("query_id", "retrieval_score", "misconception_id", descending=[False, True, False])
        .filter(pl.int_range(pl.len()).over("query_id") < depth)
        .sort("query_id", "rerank_score", "misconception_id", descending=[False, True, False])
        .with_columns(
            probability=weight / weight.sum().over("query_id"),
            rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("query_id"),
        )
        .join(answers, on=PAIR, how="left", maintain_order="left")
        .with_columns(pl.col("right").fill_null(False))
        .select(*PAIR, "rank", "probability", "right")
    )


def reliability(rows: pl.DataFrame) -> list[dict]:
    """How often candidates were right, by their probability (from `with_probability`), in bins of equal width.

    {"low", "high", "pairs", "probability": mean, "right": share, "from", "to": Wilson's 95 % interval of the share}; an
    empty bin is left out.
    """
    from scipy.stats import binomtest  # its import takes a second, and all commands come past this file

    step = (pl.col("probability") * PROBABILITY_BINS).floor().clip(0, PROBABILITY_BINS - 1).cast(pl.Int64).alias("step")
    table = rows.group_by(step).agg(pl.len(), pl.col("probability").mean(), pl.col("right").sum()).sort("step")
    intervals = [binomtest(right, pairs).proportion_ci(method="wilson") for _, pairs, _, right in table.iter_rows()]
    return [
        {
            "low": place / PROBABILITY_BINS,
            "high": (place + 1) / PROBABILITY_BINS,
            "pairs": pairs,
            "probability": probability,
            "right": right / pairs,
            "from": float(share.low),
            "to": float(share.high),
        }
        for (place, pairs, probability, right), share in zip(table.iter_rows(), intervals, strict=True)
    ]


def worst_queries(ranks: pl.DataFrame, rows: pl.DataFrame, count: int) -> list[tuple[str, int | None, int | None]]:
    """(query_id, rank as retrieved, as reranked) of the `count` rows whose right answer stands lowest; None is last.

    Among equals, those in which the wrong first candidate had most probability come first.
    """
    first = rows.filter(pl.col("rank") == 1).select("query_id", "probability")
    worst = (  # sort puts what is null before everything else, also in descending order: an absent answer is the worst
        of_ranking(ranks, "reranked")
        .select(*PAIR, "rank")
        .join(of_ranking(ranks, "retrieved").select(*PAIR, "rank"), on=PAIR, suffix="_retrieved")
        .join(first, on="query_id", how="left")
        .sort(["rank", "rank_retrieved", "probability", "query_id"], descending=[True, True, True, False])
        .head(count)
    )
    return (
        worst.unique("query_id", keep="first", maintain_order=True).select("query_id", "rank_retrieved", "rank").rows()
    )


def map_of(ranks: pl.DataFrame, resamples: int) -> dict:
    """{"pairs", "map", "low", "high"} of rows of RANKS, with a 95 % interval over questions."""
    maps = resample_maps([ranks], resamples=resamples)["all"][0]
    low, high = interval(maps)
    return {"pairs": len(ranks), "map": float(maps[0]), "low": low, "high": high}


def _subject(rows: pl.DataFrame, subject: str, resamples: int) -> dict:
    return {"subject": subject, **map_of(rows, resamples)}
