"""Guards pointwise.py and order.py: a score belongs to its pair, and the order follows from the scores."""

import numpy as np
import polars as pl
import pytest

from inference.reranking.order import order_by_score
from inference.reranking.pointwise import PointwiseReranker
from shared.prompts.pointwise import RerankerPrompt, reranker_passage, reranker_query
from shared.prompts.query import Written, query_of, row_text
from shared.prompts.words import Words
from shared.task.tables import CANDIDATES, RANKED


def letters(text: str) -> list[int]:
    return [ord(letter) for letter in text]


WORDS = Words(letters, letters, head=(), tail=())
PROMPT = RerankerPrompt(query_tokens=500, passage_tokens=500, instruction="?")


class SumScorer:
    """A Scorer whose score is a fraction made from the whole prompt."""

    def score(self, prompts):
        return np.array([checksum(prompt) for prompt in prompts], np.float32)


def checksum(ids):
    return sum(place * id_ for place, id_ in enumerate(ids)) % 1009 / 1009


@pytest.fixture
def pairs(queries, misconceptions):
    """Every pair of some queries, of different numbers of misconceptions."""
    rows = [
        (query_id, id_)
        for place, query_id in enumerate(queries["query_id"])
        for id_ in misconceptions["misconception_id"][: place % 5]
    ]
    return pl.DataFrame(rows, schema={"query_id": pl.String, "misconception_id": pl.Int64}, orient="row")


# seed: scoring with several processes mixed rows up (0.58 -> 0.32); the rows' order is put to the test over real ranks
# in tests/training/trainer/test_ranks.py
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_a_score_stays_with_its_row_however_the_rows_are_shuffled(queries, misconceptions, pairs, seed):
    if seed:
        pairs = pairs.sample(fraction=1, shuffle=True, seed=seed)
    scores = PointwiseReranker(SumScorer(), WORDS, PROMPT).score(queries, misconceptions, pairs).values
    rows, texts = {row["query_id"]: row for row in queries.iter_rows(named=True)}, dict(misconceptions.iter_rows())
    expected = [
        checksum(
            [
                *reranker_query(WORDS, PROMPT, query_of(rows[query_id])),
                *reranker_passage(WORDS, PROMPT, Written(texts[id_])),
            ]
        )
        for query_id, id_ in pairs.iter_rows()
    ]
    assert (scores.name, scores.dtype) == ("rerank_score", pl.Float32)
    np.testing.assert_allclose(scores.to_numpy(), expected, atol=1e-7)
    assert len(set(expected)) > len(pairs) // 2


def test_the_tokens_of_a_query_count_once_and_those_of_its_candidates_each(queries, misconceptions, pairs):
    made = PointwiseReranker(SumScorer(), WORDS, PROMPT).score(queries, misconceptions, pairs)
    # the query's text behind "A: "; a candidate's behind "\nB: ", and "\n?" behind it
    asked = queries.filter(pl.col("query_id").is_in(pairs["query_id"].unique().implode()))
    assert made.query_tokens == sum(3 + len(row_text(row)) for row in asked.iter_rows(named=True))
    texts = dict(misconceptions.iter_rows())
    assert made.candidate_tokens == sum(4 + len(texts[id_]) + 2 for id_ in pairs["misconception_id"])


@pytest.mark.parametrize("seed", [None, 4, 5])
def test_scored_candidates_come_first_by_score_then_by_id_and_the_others_keep_their_order(seed):
    rows = [("a", 7, 1), ("a", 5, 2), ("a", 6, 3), ("a", 9, 4), ("a", 1, 5), ("b", 3, 1), ("b", 2, 2)]
    candidates = pl.DataFrame([(*row, 0.5) for row in rows], schema=CANDIDATES.schema, orient="row")
    scored = pl.DataFrame(
        [("a", 5, -1.0), ("a", 7, -1.0), ("a", 6, 2.5), ("b", 3, -9.0), ("b", 2, -8.0)],
        schema={"query_id": pl.String, "misconception_id": pl.Int64, "rerank_score": pl.Float32},
        orient="row",
    )
    if seed:
        candidates = candidates.sample(fraction=1, shuffle=True, seed=seed)
    ranked = order_by_score(candidates, scored)
    RANKED.check(ranked, "ranked")
    # 6 has the best score; 5 and 7 are equal, the lower id first; 9 and 1 were not scored
    assert ranked.filter(pl.col("query_id") == "a").sort("rank")["misconception_id"].to_list() == [6, 5, 7, 9, 1]
    assert ranked.filter(pl.col("query_id") == "b").sort("rank")["misconception_id"].to_list() == [2, 3]
    assert ranked.sort("query_id", "rank")["rank"].to_list() == [1, 2, 3, 4, 5, 1, 2]
    assert ranked["rerank_score"].null_count() == 2
