"""Figures of a query made from the ranks of its right answers: average precision, reciprocal rank, nDCG, recall.

Each gives figures [...] from ranks [..., T] (inf where a right answer is absent), the grades of those right answers
[..., T] (1 or more; 0 fills up a query that has fewer), and the depth; what stands below the depth counts nothing.
Ranks are of an order without ties: of two candidates with the same score, the one with the lower id stands first.
"""

import numpy as np


def average_precision(ranks: np.ndarray, grades: np.ndarray, depth: int) -> np.ndarray:
    """Of the right answers found at ranks r1 < r2 < ... <= depth: the sum of i / ri, divided by min(count, depth).

    That is as many as could have been found, as in Kaggle's MAP@k. trec_eval's map_cut divides by the count: the same
    up to `depth` right answers, less beyond. With one right answer it is 1 / rank.
    """
    ordered = np.sort(np.where(grades > 0, ranks, np.inf), axis=-1)
    precisions = np.where(ordered <= depth, np.arange(1, ordered.shape[-1] + 1) / ordered, 0.0)
    return precisions.sum(-1) / np.minimum((grades > 0).sum(-1), depth)


def reciprocal_rank(ranks: np.ndarray, grades: np.ndarray, depth: int) -> np.ndarray:
    """1 / the best rank of a right answer."""
    best = np.where(grades > 0, ranks, np.inf).min(-1, initial=np.inf)
    return np.where(best <= depth, 1 / best, 0.0)


def ndcg(ranks: np.ndarray, grades: np.ndarray, depth: int) -> np.ndarray:
    """The sum of grade / log2(rank + 1), divided by that of the best order there is (trec_eval's ndcg_cut)."""
    gained = np.where((ranks <= depth) & (grades > 0), grades / np.log2(ranks + 1), 0.0).sum(-1)
    best = -np.sort(-grades.astype(np.float64), axis=-1)[..., :depth]
    return gained / (best / np.log2(np.arange(2, best.shape[-1] + 2))).sum(-1)


def recall(ranks: np.ndarray, grades: np.ndarray, depth: int) -> np.ndarray:
    """The share of the right answers that stand among the first `depth`."""
    right = grades > 0
    return (right & (ranks <= depth)).sum(-1) / right.sum(-1)


FIGURES = {"map": average_precision, "mrr": reciprocal_rank, "ndcg": ndcg, "recall": recall}
