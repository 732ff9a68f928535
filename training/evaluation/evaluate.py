"""Measures the two merged models as they serve, beside rankings by nobody (popularity, BM25) and untrained models.

Every ranking is measured in two pools. "labelled", the headline: only misconceptions that some row of train.csv
carries, for no other can be right here, while in the hidden test every one can. "catalogue": all of them.
"""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from inference.engines.progress import Meter
from inference.engines.serving import Serving
from inference.fusion.calibration import Calibration, select_candidates
from inference.machine.profiles import load_profile
from inference.reranking.kinds import open_reranker
from inference.reranking.order import order_by_score
from inference.retrieval.retrieve import restrict, retrieve
from shared.artifacts.card import read_embedder_card
from shared.settings.sections import Evaluate
from shared.task.current import TASK
from shared.task.folds import labelled_queries, labels_of, seen_ids
from shared.task.metrics import find_ranks, score_queries, summarise
from shared.task.tables import CANDIDATES, PAIR, POOLS, RANKED
from training.evaluation.baselines import rank_by_bm25, rank_by_popularity
from training.evaluation.siblings import compare_siblings, hide_answers
from training.run_folder.base_models import local_folder
from training.run_folder.stage_context import StageContext

AT_ONCE = 128  # queries scored between two looks at the metric: thousands of pairs, enough to fill an engine


@dataclass(frozen=True)
class Evaluation:
    """Tables CANDIDATES, RANKED, RANKS, SIBLINGS, and {pool: {ranking: figures of shared.task.metrics.summarise}}."""

    candidates: pl.DataFrame
    ranked: pl.DataFrame
    ranks: pl.DataFrame
    siblings: pl.DataFrame
    metrics: dict[str, dict[str, dict]]


def evaluate(context: StageContext) -> Evaluation:
    """What is measured on the validation fold.

    `candidates` holds the first `pool` of the catalogue and what was scored. `ranked` has the reranker's order of the
    catalogue's first `depth`, then the rest; its scores stand also where only the labelled pool needed them, and at
    the `extra` never-labelled ones that are next in either pool, which calibration may choose.
    """
    settings, (queries, misconceptions) = context.settings.evaluate, context.texts()
    valid = labelled_queries(queries, "valid")
    pools = pools_of(queries, misconceptions)
    found = _retrieve(context, valid, misconceptions, context.run / "merge_embedder")
    retrieved = cut(found, pools, settings.pool)
    pairs = pairs_to_score(retrieved, seen_ids(queries), settings)
    pairs = pairs.join(found.select(*PAIR, "rank"), on=PAIR, how="left", maintain_order="left")
    scored = _score(context, valid, misconceptions, pairs, retrieved["labelled"])
    masked = hide_answers(valid)
    blind = _hidden(context, masked, misconceptions, pools) if settings.hidden and len(masked) else {}
    untrained = cut(_untrained(context, valid, misconceptions), pools, settings.pool)
    rankings = {
        "popularity": cut(rank_by_popularity(queries, misconceptions, valid), pools, settings.pool),
        "bm25": cut(rank_by_bm25(misconceptions, valid), pools, settings.pool),
        "untrained": untrained,
        "miner": cut(context.read(CANDIDATES, "mine_for_embedder"), pools, settings.pool),
        "retrieved": retrieved,
        "reranked": {pool: rerank_first(table, scored, settings.depth) for pool, table in retrieved.items()},
    }
    ranks = rank_table(rankings, valid, seen_ids(queries))
    if len(masked):
        blind["bm25"] = cut(rank_by_bm25(misconceptions, masked), pools, settings.pool)
    siblings = compare_siblings(rankings, valid, blind)
    candidates = pl.concat([retrieved["catalogue"], found.join(scored, on=PAIR, how="semi")])
    candidates = candidates.unique(PAIR).sort("query_id", "rank")
    ranked = rerank_first(candidates, scored, settings.depth).drop("rerank_score").join(scored, on=PAIR, how="left")
    ranked = ranked.sort("query_id", "rank").select(*RANKED.schema)
    return Evaluation(candidates, ranked, ranks, siblings, measure(ranks, settings))


def pools_of(queries: pl.DataFrame, misconceptions: pl.DataFrame) -> dict[str, list[int]]:
    """The misconceptions that compete in each pool."""
    labelled = labels_of(queries)["misconception_id"].unique().sort().to_list()
    return dict(zip(POOLS, (labelled, misconceptions["misconception_id"].to_list()), strict=True))


def cut(candidates: pl.DataFrame, pools: dict[str, list[int]], k: int) -> dict[str, pl.DataFrame]:
    """Each pool's own first `k`."""
    return {pool: restrict(candidates, ids, k) for pool, ids in pools.items()}


def pairs_to_score(retrieved: dict[str, pl.DataFrame], seen: set[int], settings: Evaluate) -> pl.DataFrame:
    """query_id and misconception_id of what predict might rerank in some pool, up to this depth and this many extra."""
    widest = Calibration(
        retrieved=max(TASK.metric.depth, settings.pool),
        depth=settings.depth,
        extra=settings.extra,
        labelled=tuple(sorted(seen)),
    )
    chosen = [select_candidates(table, widest).select(PAIR) for table in retrieved.values()]
    return pl.concat(chosen).unique(maintain_order=True)


def rerank_first(candidates: pl.DataFrame, scored: pl.DataFrame, depth: int) -> pl.DataFrame:
    """Ranked: the first `depth` of `candidates` by their scores in `scored`, whatever else is scored, then the rest."""
    near = candidates.filter(pl.col("rank") <= depth)
    return order_by_score(candidates, scored.join(near, on=PAIR, how="semi"))


def rank_table(rankings: dict[str, dict[str, pl.DataFrame]], valid: pl.DataFrame, seen: set[int]) -> pl.DataFrame:
    """RANKS of {ranking: {pool: table}}: where the right answers of every query of `valid` stand."""
    is_seen = pl.col("misconception_id").is_in(sorted(seen)).alias("seen")
    parts = [
        find_ranks(valid, rankings[name][pool]).with_columns(is_seen, ranking=pl.lit(name), pool=pl.lit(pool))
        for pool in POOLS
        for name in rankings
    ]
    return pl.concat(parts).select(*TASK.tables.ranks.schema)


def measure(ranks: pl.DataFrame, settings: Evaluate) -> dict[str, dict[str, dict]]:
    """{pool: {ranking: figures}} of a RANKS table."""
    seen = set(ranks.filter("seen")["misconception_id"])
    metrics: dict[str, dict[str, dict]] = {}
    for (pool, name), part in ranks.group_by("pool", "ranking", maintain_order=True):
        metrics.setdefault(pool, {})[name] = summarise(
            part, seen, unseen_weight=settings.unseen_weight, resamples=settings.bootstrap
        )
    return metrics


def _retrieve(context: StageContext, valid: pl.DataFrame, misconceptions: pl.DataFrame, folder: Path) -> pl.DataFrame:
    """The whole catalogue as the model in `folder` orders it, asked as the merged embedder is."""
    card = read_embedder_card(context.run / "merge_embedder")
    return retrieve(valid, misconceptions, folder, card, _serving(context), k=len(misconceptions))


def _score(
    context: StageContext, valid: pl.DataFrame, misconceptions: pl.DataFrame, pairs: pl.DataFrame, shown: pl.DataFrame
) -> pl.DataFrame:
    """`pairs` with their `rerank_score`; the progress shows the metric of `shown` as far as it is reranked."""
    settings, parts, ranks = context.settings.evaluate, [], []
    with (
        open_reranker(context.run / "merge_reranker", _serving(context)) as reranker,
        Meter(desc="rerank", total=len(valid), unit=" queries") as meter,
    ):
        for start in range(0, len(valid), AT_ONCE):
            asked = valid[start : start + AT_ONCE]
            part = pairs.join(asked, on="query_id", how="semi", maintain_order="left")
            parts.append(part.select(PAIR).with_columns(reranker.score(asked, misconceptions, part).values))
            near = shown.join(asked, on="query_id", how="semi", maintain_order="left")
            ranks.append(find_ranks(asked, rerank_first(near, parts[-1], settings.depth)))
            reached = score_queries(pl.concat(ranks)).mean()
            meter.set_postfix_str(f"{TASK.metric.title} {reached:.3f}", refresh=False)
            meter.update(len(asked))
    return pl.concat(parts)


def _hidden(
    context: StageContext, asked: pl.DataFrame, misconceptions: pl.DataFrame, pools: dict[str, list[int]]
) -> dict[str, dict[str, pl.DataFrame]]:
    """What both models say of `asked`, questions whose wrong answer is hidden: {ranking: {pool: table}}."""
    settings = context.settings.evaluate
    if asked.is_empty():
        return {}
    found = _retrieve(context, asked, misconceptions, context.run / "merge_embedder")
    retrieved = cut(found, pools, settings.pool)
    pairs = pl.concat([table.filter(pl.col("rank") <= settings.depth).select(PAIR) for table in retrieved.values()])
    pairs = pairs.unique(maintain_order=True).join(found.select(*PAIR, "rank"), on=PAIR, maintain_order="left")
    scored = _score(context, asked, misconceptions, pairs, retrieved["labelled"])
    reranked = {pool: rerank_first(table, scored, settings.depth) for pool, table in retrieved.items()}
    return {"retrieved": retrieved, "reranked": reranked}


def _serving(context: StageContext) -> Serving:
    return Serving(context.settings.evaluate.engine, load_profile(context.settings.machine.profile))


def _untrained(context: StageContext, valid: pl.DataFrame, misconceptions: pl.DataFrame) -> pl.DataFrame:
    """The order of the embedder's base before training; the miner's own where it is that base."""
    base = context.settings.embedder
    if context.settings.miner == base:
        return context.read(CANDIDATES, "mine_for_embedder")
    return _retrieve(context, valid, misconceptions, local_folder(base.base))
