"""Finds the exact nearest misconceptions of every query with faiss, on a GPU where the corpus is large enough."""

import faiss
import numpy as np

QUERIES_AT_ONCE = 4096
LARGE = 10**6  # corpus rows from which a GPU is worth its start and its memory, which an engine may hold
GPU_MOST = 2048  # neighbours that faiss finds on a GPU


def search(queries: np.ndarray, corpus: np.ndarray, ids: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Ids [Q, k] and inner products [Q, k] of each query's k best corpus rows, best first; ties go to the lower id.

    queries [Q, D] and corpus [N, D] are float32, ids [N] int64. k is cut to N. Exact, so the order of the corpus
    does not matter: a tie that crosses rank k is settled too.
    """
    k = min(k, len(corpus))
    order = np.argsort(ids, kind="stable")
    ids, corpus = ids[order], np.ascontiguousarray(corpus[order], np.float32)
    index = _index(corpus, on_gpu=len(corpus) >= LARGE and 2 * k <= GPU_MOST)
    found, scores = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        part = slice(start, start + QUERIES_AT_ONCE)
        found[part], scores[part] = _search_part(index, np.ascontiguousarray(queries[part], np.float32), ids, k)
    return found, scores


def _index(corpus: np.ndarray, *, on_gpu: bool) -> faiss.Index:
    index = faiss.IndexFlatIP(corpus.shape[1])
    if on_gpu and faiss.get_num_gpus() > 0:  # 0 with faiss-cpu
        index = faiss.index_cpu_to_all_gpus(index)
    index.add(corpus)
    return index


def _search_part(index: faiss.Index, queries: np.ndarray, ids: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    wide = min(k + 8, len(ids))
    while True:  # widen until the k-th score is not tied with what was left out
        scores, rows = index.search(queries, wide)
        if wide == len(ids) or (scores[:, k - 1] > scores[:, -1]).all():
            break
        wide = min(2 * wide, len(ids))
    found = ids[rows]
    order = np.lexsort((found, -scores), axis=1)[:, :k]
    return np.take_along_axis(found, order, 1), np.take_along_axis(scores, order, 1)
