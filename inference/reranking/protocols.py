"""What a kind of reranker is: how its prompts are made and its scores read, whatever it reads at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl
from transformers import PreTrainedTokenizerBase

from inference.engines.protocols import Answer, Scorer
from shared.prompts.reading import Reading
from shared.prompts.words import Words


@dataclass(frozen=True)
class Scores:
    """What a reranker says of some candidates, and how much it read for that."""

    # rerank_score, Float32, higher is better: one for each candidate, in the order of their rows; NaN without an answer
    values: pl.Series
    query_tokens: int  # of each query once
    candidate_tokens: int  # of all that stands behind the queries


class Reranker(Protocol):
    """An open reranker, its model in memory."""

    def score(self, queries: pl.DataFrame, misconceptions: pl.DataFrame, candidates: pl.DataFrame) -> Scores:
        """Scores of every row of `candidates` (query_id, misconception_id, rank), which may stand in any order.

        A kind that reads lists takes a query's candidates in the order of `rank` (null: behind all others) and cuts
        them into windows by itself. Where time is short, a query's candidates come in several calls, and the scores of
        all of them are compared: a kind whose scores only order a list needs an anchor, such as a "none" in each.
        """


@dataclass(frozen=True)
class RerankerKind:
    """The parts of a kind. A prompt is an instance of the kind's class in shared/prompts/kinds.py."""

    open: Callable[[Scorer, Words, Any], Reranker]  # from a loaded model, the words of its tokenizer, and its prompt
    reading: Reading  # how its prompts are made
    # whose logit a Scorer gives, of a language model: merging keeps this row of the head
    token: Callable[[PreTrainedTokenizerBase, Any], Answer]
