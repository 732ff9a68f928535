"""Scores candidates among others of their query, list by list, in one order or in two: logits of "Yes"."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from inference.engines.protocols import Scorer
from inference.reranking.parts import parts_of
from inference.reranking.protocols import Scores
from shared.prompts.kinds import reading_of
from shared.prompts.lists import CumulativePrompt
from shared.prompts.reading import cut_lists
from shared.prompts.words import Words


@dataclass(frozen=True)
class ListReranker:
    """A Reranker of the kinds `listed` and `cumulative`. A score is the candidate's own logit, whatever its list.

    So scores of different lists, and of different calls, can be compared as they are.
    """

    scorer: Scorer
    words: Words
    prompt: CumulativePrompt

    def score(self, queries: pl.DataFrame, misconceptions: pl.DataFrame, candidates: pl.DataFrame) -> Scores:
        """See Reranker. A text is tokenised once."""
        reading, prompt = reading_of(self.prompt), self.prompt
        asked, parts = parts_of(queries, misconceptions, candidates, self.words, prompt)
        prompts, places, tokens = [], [], 0
        for query_id, numbers, ids in _lists(candidates, prompt):
            rows = reading.rows(self.words, prompt, asked[query_id], [parts[id_] for id_ in ids])
            prompts += rows.ids
            places += numbers
            tokens += rows.tokens
        logits = np.asarray(self.scorer.score(prompts), np.float64)
        sums, counts = np.zeros(len(candidates)), np.zeros(len(candidates))
        np.add.at(sums, places, logits)
        np.add.at(counts, places, 1)
        values = pl.Series("rerank_score", sums / counts, dtype=pl.Float32)
        return Scores(values, sum(map(len, asked.values())), tokens)


def _lists(candidates: pl.DataFrame, prompt: CumulativePrompt) -> Iterator[tuple[str, list[int], list[int]]]:
    """Every list in every order: its query, and the rows of `candidates` and the misconceptions that it holds."""
    rows = candidates.with_row_index("row").sort("query_id", "rank", "misconception_id", nulls_last=True)
    for (query_id,), own in rows.group_by("query_id", maintain_order=True):
        for places in cut_lists(len(own), prompt.window):
            held = own[places.start : places.stop].select("row", "misconception_id")
            numbers, ids = (held[column].to_list() for column in held.columns)
            yield query_id, numbers, ids
            if prompt.orders == 2 and len(ids) > 1:  # one alone is the same reversed
                yield query_id, numbers[::-1], ids[::-1]
