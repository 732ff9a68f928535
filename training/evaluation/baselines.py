"""Ranks misconceptions without any trained model: by popularity, and by BM25."""

import os

import numpy as np
import polars as pl

from inference.fusion.blend import candidate_table
from shared.prompts.query import row_text
from shared.task.folds import labelled_queries, labels_of


def rank_by_popularity(queries: pl.DataFrame, misconceptions: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """The whole catalogue for each of `asked`, by how often the training fold of `queries` carries it; reads no text.

    Counted within the same construct first, then the same subject, then everywhere; ties go to the lower id. Of a task
    that a file defines: within the same context, then everywhere.
    """
    train, near, far = labelled_queries(queries, "train"), *_contexts(queries)
    names = dict.fromkeys((near, far))
    train = labels_of(train).join(train.select("query_id", *names), on="query_id", maintain_order="left")
    ids = misconceptions["misconception_id"].sort()
    everywhere = _counts(train, ids)
    within = {name: {value: _counts(part, ids) for (value,), part in train.group_by(name)} for name in names}
    none, scale = np.zeros(len(ids)), len(train) + 1  # a nearer count outweighs any farther one
    scores = [
        within[near].get(row[near], none) * scale**2 + within[far].get(row[far], none) * scale + everywhere
        for row in asked.select(*names).iter_rows(named=True)
    ]
    return _order(asked["query_id"], np.array(scores), ids.to_numpy())


def rank_by_bm25(misconceptions: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """The whole catalogue for each of `asked`, by BM25 (bm25s, its defaults) between query and misconception."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")  # bm25s asks jax, where it is, for a GPU, and engines may fill that
    import bm25s

    table = misconceptions.sort("misconception_id")
    index = bm25s.BM25()
    index.index(bm25s.tokenize(table["text"].to_list(), show_progress=False), show_progress=False)
    texts = [row_text(row) for row in asked.iter_rows(named=True)]  # without rationales: the same in every run
    tokens = bm25s.tokenize(texts, return_ids=False, show_progress=False)
    scores = [index.get_scores(words) if words else np.zeros(len(table)) for words in tokens]
    scored = np.array(scores).reshape(len(asked), len(table))  # also where nothing is asked
    return _order(asked["query_id"], scored, table["misconception_id"].to_numpy())


def _contexts(queries: pl.DataFrame) -> tuple[str, str]:
    """The columns within which popularity is counted first and second."""
    return ("context", "context") if "context" in queries.columns else ("construct", "subject")


def _counts(train: pl.DataFrame, ids: pl.Series) -> np.ndarray:
    counted = train.group_by("misconception_id").len()
    return (
        ids.to_frame("misconception_id")
        .join(counted, on="misconception_id", how="left", maintain_order="left")["len"]
        .fill_null(0)
        .to_numpy()
        .astype(float)
    )


def _order(query_ids: pl.Series, scores: np.ndarray, ids: np.ndarray) -> pl.DataFrame:
    """Candidates from scores [queries, ids], `ids` ascending: equal scores go to the lower id."""
    order = np.argsort(-scores, axis=1, kind="stable")
    return candidate_table(query_ids, ids[order], np.take_along_axis(scores, order, 1))
