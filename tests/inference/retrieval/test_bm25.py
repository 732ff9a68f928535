"""Guards bm25.py: rare shared words come first, ties go to the lower id."""

import polars as pl
import pytest

from inference.retrieval.bm25 import WordIndex
from shared.task.tables import CANDIDATES, MISCONCEPTIONS


def test_a_misconception_with_a_rare_word_of_the_query_comes_first_and_ties_go_to_the_lower_id(queries):
    texts = {9: "nothing alike", 4: "nothing alike", 7: "about fractions", 5: "denominators of fractions"}
    index = WordIndex(pl.DataFrame(list(texts.items()), schema=MISCONCEPTIONS.schema, orient="row"))
    asked = queries.head(1).with_columns(question=pl.lit("Which denominators have these fractions?"))
    table = index.rank(asked, 3)
    CANDIDATES.check(table, "candidates")
    assert table["misconception_id"].to_list() == [5, 7, 4]
    assert table["retrieval_score"].to_list() == [1.0, pytest.approx(0.3, abs=0.2), 0.0]


def test_no_shared_word_is_the_order_of_the_ids_and_k_is_cut_to_what_there_is(queries):
    index = WordIndex(pl.DataFrame([(3, "xyzzy"), (1, "plugh")], schema=MISCONCEPTIONS.schema, orient="row"))
    table = index.rank(queries.head(1), 25)
    assert table.select("misconception_id", "rank", "retrieval_score").rows() == [(1, 1, 0.0), (3, 2, 0.0)]
