"""Ranks misconceptions by the words that they share with the query (BM25), without a model or any heavy import.

Before an embedder has run it is the best there is: recall@25 is 0.39 on the competition's training questions.
bm25s would do as well, and brings numba; this needs nothing.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import polars as pl

from inference.fusion.blend import candidate_table
from shared.prompts.query import Written, misconception_of, query_of

WORD = re.compile(r"[a-z0-9]+")
K1, B = 1.5, 0.75  # how soon a repeated word counts no more, and how much a long text is held back: the usual values


class WordIndex:
    """The words of a catalogue of misconceptions."""

    def __init__(self, misconceptions: pl.DataFrame):
        table = misconceptions.sort("misconception_id")
        self.ids = table["misconception_id"].to_numpy()
        counts = [Counter(WORD.findall(_all_of(misconception_of(row)).lower())) for row in table.iter_rows(named=True)]
        lengths = np.array([sum(words.values()) for words in counts])
        places, repeats = defaultdict(list), defaultdict(list)
        for place, words in enumerate(counts):
            for word, repeat in words.items():
                places[word].append(place)
                repeats[word].append(repeat)
        held_back = K1 * (1 - B + B * lengths / max(lengths.mean(), 1))
        self.weights = {}
        for word, where in places.items():
            often = np.array(repeats[word])
            rarity = np.log(1 + (len(counts) - len(where) + 0.5) / (len(where) + 0.5))
            self.weights[word] = np.array(where), rarity * often / (often + held_back[where])

    def rank(self, queries: pl.DataFrame, k: int) -> pl.DataFrame:
        """Candidates (k of each query, best first), scored 0 to 1; ties go to the lower id."""
        texts = [_all_of(query_of(query, "both")) for query in queries.iter_rows(named=True)]
        found, scores = self.find(texts, k)
        return candidate_table(queries["query_id"], found, scores)

    def find(self, texts: Sequence[str], k: int) -> tuple[np.ndarray, np.ndarray]:
        """Ids [N, k] of the misconceptions nearest to N texts, best first, and their scores; likewise."""
        k = min(k, len(self.ids))
        found, scores = np.empty((len(texts), k), np.int64), np.empty((len(texts), k), np.float32)
        for row, text in enumerate(texts):
            value = np.zeros(len(self.ids))
            for word in dict.fromkeys(WORD.findall(text.lower())):  # ordered: the same sums always
                if word in self.weights:
                    where, weight = self.weights[word]
                    value[where] += weight
            best = np.argsort(-value, kind="stable")[:k]  # ids ascend
            found[row], scores[row] = self.ids[best], value[best] / max(value.max(), 1e-9)
        return found, scores


def _all_of(written: Written) -> str:
    return f"{written.text} {written.notes}"
