"""Guards evaluate.py and baselines.py: what competes in each pool, what is reranked, what is kept."""

import polars as pl
import pytest

from shared.settings.sections import Evaluate
from shared.task.folds import seen_ids
from shared.task.tables import CANDIDATES, POOLS, RANKS
from training.evaluation.baselines import rank_by_bm25, rank_by_popularity
from training.evaluation.evaluate import cut, measure, pairs_to_score, pools_of, rank_table, rerank_first


def ranking(*ids, query_id="6_A"):
    rows = [(query_id, id_, rank, 1 / rank) for rank, id_ in enumerate(ids, 1)]
    return pl.DataFrame(rows, schema=CANDIDATES.schema, orient="row")


def order(table, query_id="6_A"):
    return table.filter(pl.col("query_id") == query_id).sort("rank")["misconception_id"].to_list()


@pytest.fixture
def valid(queries):
    return queries.filter(pl.col("fold") == "valid").drop_nulls("misconception_id")


def test_the_labelled_pool_is_what_any_row_carries_and_the_catalogue_is_everything(queries, misconceptions):
    pools = pools_of(queries, misconceptions)
    assert tuple(pools) == POOLS
    assert pools["labelled"] == [10, 11, 12, 20, 30, 31, 40, 41, 42]  # 21, 32 and 50 are carried by nobody
    assert pools["catalogue"] == misconceptions["misconception_id"].to_list()


def test_each_pool_has_its_own_first_and_is_ranked_without_the_others():
    tables = cut(ranking(50, 10, 21, 11, 12), {"labelled": [10, 11, 12], "catalogue": [10, 11, 12, 21, 50]}, 2)
    assert tables["labelled"].select("misconception_id", "rank").rows() == [(10, 1), (11, 2)]
    assert tables["catalogue"].select("misconception_id", "rank").rows() == [(50, 1), (10, 2)]


def test_what_a_calibration_may_choose_is_scored_in_either_pool():
    tables = cut(ranking(50, 10, 21, 11, 12, 32), {"labelled": [10, 11, 12], "catalogue": [10, 11, 12, 21, 32, 50]}, 9)
    pairs = pairs_to_score(tables, {10}, Evaluate(depth=2, extra=1))
    # labelled: 10 and 11, then 12, which no training row carries; catalogue: 50 and 10, then 21
    assert sorted(pairs["misconception_id"]) == [10, 11, 12, 21, 50]
    pairs = pairs_to_score(tables, {10, 12, 21}, Evaluate(depth=2, extra=2))
    # behind 10 and 11 there is 12, which is carried; behind 50 and 10 there are 11 and 32
    assert sorted(pairs["misconception_id"]) == [10, 11, 32, 50]
    assert sorted(pairs_to_score(tables, {10}, Evaluate(depth=2, extra=0))["misconception_id"]) == [10, 11, 50]


def test_only_the_first_of_a_pool_are_reranked_also_where_more_are_scored():
    scored = pl.DataFrame(
        [("6_A", 10, 0.1), ("6_A", 11, 0.5), ("6_A", 12, 0.9), ("6_B", 11, 9.0)],
        schema={"query_id": pl.String, "misconception_id": pl.Int64, "rerank_score": pl.Float32},
        orient="row",
    )
    ranked = rerank_first(ranking(10, 11, 12, 20), scored, 2)  # the other pool asked for the score of 12
    assert order(ranked) == [11, 10, 12, 20]
    assert ranked.sort("rank")["rerank_score"].is_null().to_list() == [False, False, True, True]


def test_where_every_right_answer_stands_is_kept_for_every_pool_and_ranking(queries, misconceptions, valid):
    pools = pools_of(queries, misconceptions)
    rankings = {
        "one": cut(ranking(50, 40, 30), pools, 2),
        "two": cut(ranking(40, 30, query_id="6_B"), pools, 2),
    }
    ranks = rank_table(rankings, valid, seen_ids(queries))
    RANKS.check(ranks, "ranks")
    found = {row[:3]: row[3] for row in ranks.drop_nulls("rank").select("pool", "ranking", "query_id", "rank").rows()}
    # the answer of 6_A is 30: third of the catalogue, not of its first 2, and second of the labelled; of 6_B it is 40
    assert found == {("labelled", "one", "6_A"): 2, ("labelled", "two", "6_B"): 1, ("catalogue", "two", "6_B"): 1}
    assert len(ranks) == 2 * 2 * len(valid)
    assert set(ranks.filter("seen")["misconception_id"]) == {30}
    figures = measure(ranks, Evaluate(bootstrap=10, unseen_weight=0.5))["labelled"]["one"]
    # one seen pair at rank 2: 0.5; three unseen without one: 0; half of each
    assert figures["weighted"]["map@25"] == pytest.approx(0.25)


def test_popularity_counts_by_construct_then_subject_then_everywhere_and_reads_no_text(queries, misconceptions, valid):
    ranked = rank_by_popularity(queries, misconceptions, valid)
    # 6 is of "Negative numbers", where 30 and 31 are carried once each; then 10 and 20, twice; then 11 and 12, once;
    # then what nobody in training carries, by id
    assert order(ranked) == [30, 31, 10, 20, 11, 12, 21, 32, 40, 41, 42, 50]
    assert order(ranked, "7_A") == [10, 20, 11, 12, 30, 31, 21, 32, 40, 41, 42, 50]  # "Decimals" has no training row
    CANDIDATES.check(ranked, "ranked")


def test_bm25_puts_shared_words_first_and_equal_scores_by_id(misconceptions, valid):
    asked = valid.with_columns(question=pl.lit("Reads a table"), construct=pl.lit("x"), subject=pl.lit("x"))
    first = order(rank_by_bm25(misconceptions, asked))
    assert first[0] == 50 and first[1:] == sorted(first[1:])
