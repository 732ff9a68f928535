"""Finds the exact nearest misconceptions of every query with faiss, on a GPU where the corpus is large enough."""

from collections.abc import Iterable

import faiss
import numpy as np

from inference.engines.distributed import fill_from_ranks, take_turns

QUERIES_AT_ONCE = 512
GPU_SEARCH_MIN_ROWS = 10**6  # For fewer a GPU is not worth its start and its memory, which an engine may hold.
GPU_MAX_NEIGHBOURS = 2048  # More than these faiss does not find on a GPU.


def search(queries: np.ndarray, corpus: np.ndarray, ids: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Ids [Q, k] and inner products [Q, k] of each query's k best corpus rows, best first; ties go to the lower id.

    queries [Q, D] and corpus [N, D] are float32, ids [N] int64. k is cut to N. Exact, so the order of the corpus
    does not matter: a tie that crosses rank k is settled too. Processes of torchrun share the queries out: each has to
    call it, with the same arguments, and gets all of the answer.
    """
    k = min(k, len(corpus))
    if (ids[1:] < ids[:-1]).any():  # a copy of a large corpus is worth avoiding
        order = np.argsort(ids, kind="stable")
        ids, corpus = ids[order], corpus[order]
    find = _searcher(
        np.ascontiguousarray(corpus, np.float32),
        on_gpu=len(corpus) >= GPU_SEARCH_MIN_ROWS and 2 * k <= GPU_MAX_NEIGHBOURS,
    )
    found, scores = np.zeros((len(queries), k), np.int64), np.zeros((len(queries), k), np.float32)
    parts = -(-len(queries) // QUERIES_AT_ONCE)
    size = -(-len(queries) // max(parts, 1))  # even ones: faiss multiplies fewer than 20 queries in another way
    for number in take_turns(parts):
        part = slice(number * size, (number + 1) * size)
        found[part], scores[part] = _search_part(find, np.ascontiguousarray(queries[part], np.float32), ids, k)
    return fill_from_ranks(found), fill_from_ranks(scores)


def search_shards(
    queries: np.ndarray, shards: Iterable[tuple[np.ndarray, np.ndarray]], k: int
) -> tuple[np.ndarray, np.ndarray]:
    """What `search` gives for a corpus that comes in shards (ids, rows), of which one is in memory at a time.

    Exact: whoever is among the k best of all is among the k best of its shard, by the same order.
    """
    found, scores = np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32)
    for ids, rows in shards:
        more_found, more_scores = search(queries, rows, ids, k)
        found, scores = _best(np.hstack([found, more_found]), np.hstack([scores, more_scores]), k)
    return found, scores


def _searcher(corpus: np.ndarray, *, on_gpu: bool):
    """A function from queries and k to scores and rows."""
    if on_gpu and faiss.get_num_gpus() > 0:  # 0 with faiss-cpu
        index = faiss.index_cpu_to_all_gpus(faiss.IndexFlatIP(corpus.shape[1]))
        index.add(corpus)
        return index.search
    return lambda queries, k: faiss.knn(queries, corpus, k, metric=faiss.METRIC_INNER_PRODUCT)  # an index is a copy


def _search_part(find, queries: np.ndarray, ids: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    wide = min(k + 8, len(ids))
    while True:  # widen until the k-th score is not tied with what was left out
        scores, rows = find(queries, wide)
        if wide == len(ids) or (scores[:, k - 1] > scores[:, -1]).all():
            break
        wide = min(2 * wide, len(ids))
    return _best(ids[rows], scores, k)


def _best(found: np.ndarray, scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.lexsort((found, -scores), axis=1)[:, :k]
    return np.take_along_axis(found, order, 1), np.take_along_axis(scores, order, 1)
