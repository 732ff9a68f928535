"""Average precision of a query that has one right answer or several."""

import numpy as np


def average_precision(ranks: np.ndarray, counts: np.ndarray, depth: int) -> np.ndarray:
    """AP at `depth`, float64 [...], from the ranks [..., T] of each query's right answers and their number [...].

    Of the right answers found at ranks r1 < r2 < ... <= depth: the sum of i / ri, divided by as many as could have been
    found, min(count, depth). A right answer that is absent has rank inf. With one right answer it is 1 / rank.
    """
    ordered = np.sort(ranks, axis=-1)
    precisions = np.where(ordered <= depth, np.arange(1, ordered.shape[-1] + 1) / ordered, 0.0)
    return precisions.sum(-1) / np.minimum(counts, depth)
