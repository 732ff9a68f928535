"""Says where the metric is lost: before the reranker or in it, and which misconceptions are taken for which."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from shared.task.current import TASK
from shared.task.folds import labels_of
from shared.task.tables import PAIR
from training.analysis.report.measure import of_ranking, with_probability
from training.analysis.report.panels import Panel, why_not
from training.analysis.report.read import Finished

MOST_PAIRS = 25
KINDS = (  # what became of a right answer, in the order in which they are asked
    "the reranker puts it first",
    "the reranker takes it from the first place",
    "reranked, and first in neither order",
    "retrieved too far behind to be reranked",
    "not among the candidates",
)


def error_budget(ranks: pl.DataFrame, depth: int) -> list[dict]:
    """{"kind", "pairs", "seen", "unseen", "lost"} for each of KINDS, of a labelled pool's RANKS.

    "lost" is what these pairs take from the metric: all of them sum to 1 - MAP@25. Only the first `depth` are reranked.
    """
    pairs = both_orders(ranks)
    before, after = pl.col("before"), pl.col("after")
    kind = (
        pl.when(before.is_null())
        .then(4)
        .when(before > depth)
        .then(3)
        .when(after == 1)
        .then(0)
        .when(before == 1)
        .then(1)
        .otherwise(2)
    )
    table = pairs.with_columns(kind=kind)
    parts = [(name, table.filter(pl.col("kind") == place)) for place, name in enumerate(KINDS)]
    return [
        {
            "kind": name,
            "pairs": len(part),
            "seen": int(part["seen"].sum()),
            "unseen": len(part) - int(part["seen"].sum()),
            "lost": float((1 - part["figure_after"]).sum()) / max(len(table), 1),
        }
        for name, part in parts
    ]


def both_orders(ranks: pl.DataFrame) -> pl.DataFrame:
    """Each pair of the labelled pool with its rank as retrieved, "before", and reranked, "after", and their figures."""
    retrieved = of_ranking(ranks, "retrieved").select(*PAIR, before="rank")
    both = (
        of_ranking(ranks, "reranked")
        .rename({"rank": "after"})
        .join(retrieved, on=PAIR, how="left", maintain_order="left")
    )
    return both.with_columns(
        figure_before=pl.Series(_figures(both["before"]), dtype=pl.Float64),
        figure_after=pl.Series(_figures(both["after"]), dtype=pl.Float64),
    )


def reranker_mistakes(ranks: pl.DataFrame, depth: int, count: int) -> list[tuple[str, int | None, int | None]]:
    """(query_id, rank as retrieved, as reranked) of the `count` rows whose figure the reranker lowered most."""
    pairs = both_orders(ranks).filter(pl.col("before") <= depth)
    lost = pairs.with_columns(lost=pl.col("figure_before") - pl.col("figure_after")).filter(pl.col("lost") > 0)
    worst = lost.sort(["lost", "after", "query_id"], descending=[True, True, False]).unique(
        "query_id", maintain_order=True
    )
    return worst.head(count).select("query_id", "before", "after").rows()


def confused_pairs(rows: pl.DataFrame, queries: pl.DataFrame, most: int) -> list[tuple[int, int, int]]:
    """(right id, wrong id that stands first, how often) of the rows of `with_probability`, most often first."""
    first = rows.filter(pl.col("rank") == 1, ~pl.col("right")).select("query_id", first="misconception_id")
    both = first.join(labels_of(queries).select(PAIR), on="query_id")
    counted = both.group_by("misconception_id", "first").len()
    counted = counted.sort(["len", "misconception_id", "first"], descending=[True, False, False])
    return counted.head(most).select("misconception_id", "first", "len").rows()


def budget_panel(found: Finished) -> Panel:
    title = "Error budget"
    if not found.evaluated:
        return Panel(title, missing=why_not(found))
    depth = found.settings.evaluate.depth
    rows = error_budget(found.evaluated.ranks, depth)
    total = sum(row["pairs"] for row in rows) or 1
    cells = [
        [
            row["kind"],
            f"{row['pairs']:,}",
            f"{row['pairs'] / total:.0%}",
            f"{row['seen']:,}",
            f"{row['unseen']:,}",
            f"{row['lost']:.3f}",
        ]
        for row in rows
    ]
    missed = sum(row["pairs"] for row in rows[3:])
    several = of_ranking(found.evaluated.ranks, "reranked")["query_id"].is_duplicated().any()
    judged = "The last column takes each pair for its query's only right answer, and sums to what all pairs then lack"
    if not several:
        judged = "The last column sums to what all pairs lack"
    caption = (
        f"What becomes of the right answers, labelled pool: {missed:,} of {total:,} never reach the reranker, which "
        f"reads the first {depth}. {judged} to a {TASK.metric.title} of 1."
    )
    headers = ("right answer", "pairs", "share", "seen", "unseen", f"{TASK.metric.title} lost")
    return Panel(title, caption, headers=headers, rows=cells, open=True)


def confused_panel(found: Finished) -> Panel:
    title = "Confused pairs"
    if not found.evaluated:
        return Panel(title, missing=why_not(found))
    data = found.evaluated
    rows = with_probability(data.ranked, data.queries, found.settings.evaluate.depth)
    texts = dict(data.misconceptions.select("misconception_id", "text").iter_rows())
    pairs = confused_pairs(rows, data.queries.filter(pl.col("fold") == "valid"), MOST_PAIRS)
    cells = [[texts[right], texts[wrong], f"{times:,}"] for right, wrong, times in pairs]
    caption = f"Which {TASK.entry} the reranker puts first where another is right, labelled pool, most often first."
    if not cells:
        return Panel(title, missing=f"The reranker never puts a wrong {TASK.entry} first.")
    return Panel(title, caption, headers=("right", "put first", "times"), rows=cells)


def _figures(ranks: pl.Series) -> Sequence[float]:
    """The metric of each right answer alone."""
    column = ranks.cast(pl.Float64).fill_null(np.inf).to_numpy().reshape(-1, 1)
    return TASK.metric.of_ranks(column, np.ones_like(column), TASK.metric.depth)
