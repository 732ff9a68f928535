"""Writes evaluations of made-up draws, in which never-labelled ids are scored too low by a known number of logits."""

from pathlib import Path

import numpy as np
import polars as pl

from shared.artifacts.manifest import digest, write_manifest
from shared.task.tables import CANDIDATES, MISCONCEPTIONS, QUERIES, RANKED

CATALOGUE, LABELLED = 2587, 962  # as many ids as the competition's files have
PAIRS_TRAINED = 576


def write_draw(
    run: Path, seed: int, *, pairs: int = 1100, penalty: float = 2.0, depth: int = 50, extra: int = 25, kept: int = 200
) -> None:
    """runs/ITERATION/SPLIT with prepare/ and evaluate/, of `pairs` validation pairs, three quarters of them unseen.

    Without the penalty scores are log-odds: the right id gets 3 more, all have noise of 1.5. Retrieval is a worse look
    at the same, and does not know of the penalty.
    """
    draw = np.random.default_rng(seed)
    trained = np.sort(draw.permutation(LABELLED)[:PAIRS_TRAINED])
    held_out = np.setdiff1d(np.arange(LABELLED), trained)
    answers = np.where(draw.random(pairs) < 0.25, draw.choice(trained, pairs), draw.choice(held_out, pairs))
    right = np.arange(CATALOGUE) == answers[:, None]
    truth = 3.0 * right + draw.normal(0, 1.5, right.shape)
    retrieval = 0.1 * (truth + draw.normal(0, 1.0, truth.shape))
    never = ~np.isin(np.arange(CATALOGUE), trained)
    rerank = truth - penalty * never
    _write_prepare(run, trained, answers)
    _write_evaluate(run, retrieval, rerank, never, {"depth": depth, "extra": extra, "pool": kept})


def _write_prepare(run: Path, trained: np.ndarray, answers: np.ndarray) -> None:
    """No two draws share a question; all carry the same labels, those of neither fold in a question nobody reads."""
    first = 10_000 * (1 + sum(run.name.encode()))
    rows = [(first + number, id_, "train") for number, id_ in enumerate(trained)]
    rows += [(first + 5000 + number // 2, id_, "valid") for number, id_ in enumerate(answers)]
    rows += [(first + 9000, id_, "test") for id_ in np.setdiff1d(np.arange(LABELLED), [*trained, *answers])]
    records = [
        (f"{question}_{place}", question, "", "", "", "", "", int(id_), fold)
        for place, (question, id_, fold) in enumerate(rows)
    ]
    QUERIES.write(pl.DataFrame(records, schema=QUERIES.schema, orient="row"), run / "prepare")
    texts = pl.DataFrame([(id_, "") for id_ in range(CATALOGUE)], schema=MISCONCEPTIONS.schema, orient="row")
    MISCONCEPTIONS.write(texts, run / "prepare")


def _write_evaluate(run: Path, retrieval: np.ndarray, rerank: np.ndarray, never: np.ndarray, settings: dict) -> None:
    queries = pl.read_parquet(run / "prepare" / "queries.parquet").filter(pl.col("fold") == "valid")
    order = np.argsort(-retrieval, axis=1, kind="stable")
    rank = np.argsort(order, axis=1) + 1
    scored = np.zeros(rank.shape, bool)
    for size in (LABELLED, CATALOGUE):  # of either pool: its first `depth`, and the next `extra` never-labelled ones
        inside = order < size
        near = inside & (np.cumsum(inside, axis=1) <= settings["depth"])
        behind = inside & ~near & np.take_along_axis(np.broadcast_to(never, rank.shape), order, 1)
        chosen = near | (behind & (np.cumsum(behind, axis=1) <= settings["extra"]))
        scored |= np.take_along_axis(chosen, rank - 1, 1)
    kept = (rank <= settings["pool"]) | scored
    row, id_ = np.nonzero(kept)
    table = pl.DataFrame(
        {
            "query_id": queries["query_id"].to_numpy()[row],
            "misconception_id": id_,
            "rank": rank[row, id_],
            "retrieval_score": retrieval[row, id_].astype(np.float32),
            "rerank_score": np.where(scored, rerank, np.nan)[row, id_].astype(np.float32),
        }
    ).with_columns(pl.col("rerank_score").fill_nan(None))
    CANDIDATES.write(table, run / "evaluate")
    RANKED.write(table, run / "evaluate")
    section = {**settings, "unseen_weight": 0.75}
    write_manifest(run / "prepare", {})
    inputs = {str(run / "prepare"): digest(run / "prepare")}
    write_manifest(run / "evaluate", {"stage": "evaluate", "settings": {"evaluate": section}, "inputs": inputs})
