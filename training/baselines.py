"""Ranks misconceptions without any trained model: by popularity, and by BM25."""

import numpy as np
import polars as pl

from shared.prompts import row_text
from shared.tables import CANDIDATES


def rank_by_popularity(
    queries: pl.DataFrame, misconceptions: pl.DataFrame, asked: pl.DataFrame, k: int
) -> pl.DataFrame:
    """Candidates of `asked` by how often the training fold of `queries` carries a misconception; no text is read.

    Counted within the same construct first, then the same subject, then everywhere; ties go to the lower id.
    """
    train = queries.filter(pl.col("fold") == "train").drop_nulls("misconception_id")
    ids = misconceptions["misconception_id"].sort()
    everywhere = _counts(train, ids)
    within = {
        name: {value: _counts(part, ids) for (value,), part in train.group_by(name)}
        for name in ("construct", "subject")
    }
    none, scale = np.zeros(len(ids)), len(train) + 1  # a nearer count outweighs any farther one
    rows = []
    for query_id, construct, subject in asked.select("query_id", "construct", "subject").iter_rows():
        near = within["construct"].get(construct, none) * scale**2
        rows.append((query_id, near + within["subject"].get(subject, none) * scale + everywhere))
    return _best(rows, ids.to_numpy(), k)


def rank_by_bm25(misconceptions: pl.DataFrame, asked: pl.DataFrame, k: int) -> pl.DataFrame:
    """Candidates of `asked` by BM25 (bm25s, its defaults) between the query's words and the misconception's."""
    import bm25s

    table = misconceptions.sort("misconception_id")
    index = bm25s.BM25()
    index.index(bm25s.tokenize(table["text"].to_list(), show_progress=False), show_progress=False)
    texts = [row_text(row) for row in asked.iter_rows(named=True)]
    tokens = bm25s.tokenize(texts, return_ids=False, show_progress=False)
    rows = [
        (query_id, index.get_scores(words) if words else np.zeros(len(table)))
        for query_id, words in zip(asked["query_id"], tokens, strict=True)
    ]
    return _best(rows, table["misconception_id"].to_numpy(), k)


def _counts(train: pl.DataFrame, ids: pl.Series) -> np.ndarray:
    counted = train.group_by("misconception_id").len()
    return (
        ids.to_frame("misconception_id")
        .join(counted, on="misconception_id", how="left", maintain_order="left")["len"]
        .fill_null(0)
        .to_numpy()
        .astype(float)
    )


def _best(rows: list[tuple[str, np.ndarray]], ids: np.ndarray, k: int) -> pl.DataFrame:
    found = []
    for query_id, scores in rows:
        order = np.lexsort((ids, -scores))[:k]
        found += [(query_id, int(ids[place]), rank, float(scores[place])) for rank, place in enumerate(order, 1)]
    return pl.DataFrame(found, schema=CANDIDATES, orient="row")
