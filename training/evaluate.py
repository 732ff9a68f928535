"""Measures the two merged models as they serve, beside rankings by nobody (popularity, BM25) and untrained models."""

import json

import polars as pl

from inference.card import read_embedder_card
from inference.profiles import load_profile
from inference.rerank import rerank
from inference.retrieve import retrieve
from shared.folds import seen_ids
from shared.metrics import K, find_ranks, summarise
from shared.tables import CANDIDATES
from training.baselines import rank_by_bm25, rank_by_popularity
from training.job import Job


def evaluate(job: Job) -> tuple[pl.DataFrame, dict[str, dict]]:
    """Ranked candidates of the validation fold, and {ranking: figures of shared.metrics.summarise}."""
    settings, profile = job.settings.evaluate, load_profile(job.settings.machine.profile)
    queries, misconceptions = job.texts()
    valid = queries.filter(pl.col("fold") == "valid").drop_nulls("misconception_id")
    embedder, reranker = job.run / "merge_embedder", job.run / "merge_reranker"
    engine, k = settings.engine, max(K, settings.depth)
    candidates = retrieve(
        valid, misconceptions, embedder, read_embedder_card(embedder), engine=engine, profile=profile, k=k
    )
    ranked = rerank(valid, misconceptions, candidates, reranker, engine=engine, profile=profile, depth=settings.depth)
    tables = {
        "popularity": rank_by_popularity(queries, misconceptions, valid, K),
        "bm25": rank_by_bm25(misconceptions, valid, K),
        "miner": job.read("mine_for_embedder", "candidates", CANDIDATES),
        "retrieved": candidates,
        "reranked": ranked,
    }
    seen = seen_ids(queries)
    figures = {
        name: summarise(find_ranks(valid, table), seen, resamples=settings.bootstrap) for name, table in tables.items()
    }
    return ranked, {"untrained": _untrained(job), **figures}


def _untrained(job: Job) -> dict[str, dict]:
    """Figures of the embedder's base before training, taken when training began."""
    history = json.loads((job.run / "train_embedder" / "metrics.json").read_text())
    return {part: figures for part, figures in history[0].items() if isinstance(figures, dict)}
