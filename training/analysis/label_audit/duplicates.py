"""Finds entries of a catalogue that say the same, or nearly: by their words, and by how near their vectors are."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import polars as pl

from shared.task.near_duplicates import words_of

SAME, NEAR_WORDS, NEAR_VECTORS = "same words", "nearly the same words", "near in meaning"
SIMILAR_WORDS = 0.8  # Jaccard index of the words of two entries, which have about ten
SIMILAR_VECTORS = 0.95  # cosine; above it are 67 pairs of 2,587 real entries, beside those by words, untrained
PAIRS = pl.Schema({"kind": pl.String, "entry": pl.Int64, "other": pl.Int64, "similarity": pl.Float64})


def find_duplicates(misconceptions: pl.DataFrame, vectors: np.ndarray | None = None) -> pl.DataFrame:
    """Pairs of entries (PAIRS, entry < other), the surest first; `vectors` [N, D] are unit vectors of the rows.

    A pair is of the first kind that it fits. Entries of the same words differ at most in case, white space, and the
    wrappers of LaTeX and Markdown.
    """
    ids, texts = misconceptions["misconception_id"].to_list(), misconceptions["text"].to_list()
    found: dict[tuple[int, int], tuple[str, float]] = {}
    for one, other, similarity in _by_words(texts):
        kind = SAME if words_of(texts[one]) == words_of(texts[other]) else NEAR_WORDS
        found[_pair(ids[one], ids[other])] = kind, similarity
    if vectors is not None:
        for one, other, similarity in _by_vectors(vectors):
            found.setdefault(_pair(ids[one], ids[other]), (NEAR_VECTORS, similarity))
    order = {kind: place for place, kind in enumerate((SAME, NEAR_WORDS, NEAR_VECTORS))}
    rows = [(kind, *pair, similarity) for pair, (kind, similarity) in found.items()]
    rows.sort(key=lambda row: (order[row[0]], -row[3], row[1:3]))
    return pl.DataFrame(rows, schema=PAIRS, orient="row")


def groups_of(pairs: pl.DataFrame) -> dict[int, int]:
    """{entry: the lowest entry that a chain of `pairs` joins it to}, for those that are in some pair."""
    lowest: dict[int, int] = {}

    def root(entry: int) -> int:
        while lowest.setdefault(entry, entry) != entry:
            entry = lowest[entry]
        return entry

    for one, other in pairs.select("entry", "other").iter_rows():
        low, high = sorted((root(one), root(other)))
        lowest[high] = low
    return {entry: root(entry) for entry in lowest}


def _by_words(texts: Sequence[str]) -> list[tuple[int, int, float]]:
    """Places of two texts whose words have a Jaccard index of SIMILAR_WORDS or more, repeated words counting."""
    bags, holders = [Counter(words_of(text)) for text in texts], defaultdict(list)
    pairs = []
    for place, bag in enumerate(bags):
        shared: Counter = Counter()
        for word, count in bag.items():
            for other, often in holders[word]:
                shared[other] += min(count, often)
        size = bag.total()
        for other, count in shared.items():
            similarity = count / (size + bags[other].total() - count)
            if similarity >= SIMILAR_WORDS:
                pairs.append((other, place, similarity))
        for word, count in bag.items():
            holders[word].append((place, count))
    return pairs


def _by_vectors(vectors: np.ndarray) -> list[tuple[int, int, float]]:
    pairs, rows = [], 1024
    for start in range(0, len(vectors), rows):
        near = vectors[start : start + rows] @ vectors.T
        for one, other in np.argwhere(near >= SIMILAR_VECTORS):
            if start + one < other:
                pairs.append((int(start + one), int(other), float(near[one, other])))
    return pairs


def _pair(one: int, other: int) -> tuple[int, int]:
    return (one, other) if one < other else (other, one)
