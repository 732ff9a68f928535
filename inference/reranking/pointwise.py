"""Scores one candidate at a time: the logit of "Yes" behind a query and a misconception."""

from dataclasses import dataclass

import polars as pl

from inference.engines.protocols import Scorer
from inference.reranking.parts import parts_of
from inference.reranking.protocols import Scores
from shared.prompts.pointwise import RerankerPrompt
from shared.prompts.words import Words
from shared.task.tables import PAIR


@dataclass(frozen=True)
class PointwiseReranker:
    """A Reranker to whom a candidate's rank and neighbours do not matter."""

    scorer: Scorer
    words: Words
    prompt: RerankerPrompt

    def score(self, queries: pl.DataFrame, misconceptions: pl.DataFrame, candidates: pl.DataFrame) -> Scores:
        """See Reranker. A text is tokenised once."""
        asked, known = parts_of(queries, misconceptions, candidates, self.words, self.prompt)
        pairs = candidates.select(PAIR).rows()
        logits = self.scorer.score([[*asked[query_id], *known[id_]] for query_id, id_ in pairs])
        return Scores(
            pl.Series("rerank_score", logits, dtype=pl.Float32),
            sum(map(len, asked.values())),
            sum(len(known[id_]) for _, id_ in pairs),
        )
