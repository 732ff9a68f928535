"""Guards metrics.py: every figure is the one that a hand can work out."""

import numpy as np
import polars as pl
import pytest

from shared.task.metrics import find_ranks, kendall_tau, resample_maps, score_queries, summarise
from shared.task.rank_figures import average_precision, ndcg
from shared.task.submission import score_submission
from shared.task.tables import CANDIDATES
from shared.task.task import Metric

RANKS = {"query_id": pl.String, "question_id": pl.Int64, "misconception_id": pl.Int64, "rank": pl.Int64}


def ranks_of(*rows):
    return pl.DataFrame(rows, schema=RANKS, orient="row")


def test_average_precision_is_one_over_the_rank_up_to_25_and_nothing_below_or_without():
    ranks = ranks_of(*((f"{number}_A", number, 10, rank) for number, rank in enumerate([1, 2, 4, 25, 26, None])))
    # 1/1, 1/2, 1/4, 1/25, then out of the first 25, then not among the candidates
    assert score_queries(ranks).to_list() == [1, 0.5, 0.25, 0.04, 0, 0]


def test_with_one_right_answer_average_precision_is_the_very_number_of_one_over_the_rank():
    ranks = np.arange(1.0, 26)
    assert average_precision(ranks[:, None], np.ones((25, 1)), 25).tolist() == [1 / rank for rank in range(1, 26)]


def test_several_right_answers_share_their_querys_average_precision():
    def figure(ranks, depth=25):
        known = np.array([[np.inf if rank is None else rank for rank in ranks]])
        return average_precision(known, np.ones((1, len(ranks))), depth).item()

    assert figure([1, 3]) == figure([3, 1]) == (1 / 1 + 2 / 3) / 2  # 5/6
    assert figure([2, None]) == (1 / 2) / 2  # the absent one counts among those that could have been found
    assert figure([1, 26]) == 1 / 2
    assert figure([None, None]) == 0
    # three right answers and a depth of two: the best there is, both places, is 1; the third cannot be found
    assert figure([1, 2, 3], depth=2) == 1
    assert figure([2, 4, 5], depth=2) == (1 / 2) / 2


def test_a_query_with_several_right_answers_is_one_query_and_seen_only_with_all_of_them():
    # query 1_A has two right answers at 1 and 3, query 2_A one at 2, query 3_A two, of which one is never trained on
    rows = [("1_A", 1, 10, 1), ("2_A", 2, 10, 2), ("1_A", 1, 11, 3), ("3_A", 3, 10, 1), ("3_A", 3, 20, None)]
    ranks = ranks_of(*rows)
    assert score_queries(ranks).to_list() == pytest.approx([5 / 6, 1 / 2, 1 / 2], abs=1e-12)
    figures = summarise(ranks, {10, 11}, recall_at=1, resamples=20)
    expected = {"all": (5 / 6 + 1 / 2 + 1 / 2) / 3, "seen": (5 / 6 + 1 / 2) / 2, "unseen": 1 / 2}
    assert {part: figures[part]["map@25"] for part in expected} == pytest.approx(expected, abs=1e-12)
    # pairs of a query and a right answer: 1, 3, 2 are seen, 1 and absent are not
    assert {part: figures[part]["pairs"] for part in expected} == {"all": 5, "seen": 3, "unseen": 2}
    assert figures["seen"]["recall@1"] == pytest.approx(1 / 3) and figures["unseen"]["recall@1"] == 1 / 2
    maps = resample_maps([ranks.with_columns(seen=pl.col("misconception_id") < 20)], resamples=20)
    assert maps["seen"][0, 0] == figures["seen"]["map@25"]


def test_labels_may_have_several_rows_of_a_query(queries):
    labels = pl.concat([queries.head(1), queries.head(1).with_columns(misconception_id=pl.lit(50, pl.Int64))])
    ranked = pl.DataFrame(
        [("1_A", 10, 1, 0.9), ("1_A", 12, 2, 0.8), ("1_A", 50, 3, 0.7)], CANDIDATES.schema, orient="row"
    )
    assert find_ranks(labels, ranked)["rank"].to_list() == [1, 3]
    assert score_submission(ranked, labels) == pytest.approx(5 / 6)


def test_another_metric_is_another_function_of_the_ranks():
    metric = Metric("hit", 2, lambda ranks, counts, depth: (ranks <= depth).any(-1).astype(float))
    ranks = ranks_of(("1_A", 1, 10, 2), ("2_A", 2, 10, 3), ("2_A", 2, 11, 1), ("3_A", 3, 10, 9))
    assert score_queries(ranks, metric).to_list() == [1, 1, 0]
    assert summarise(ranks, {10}, metric=metric, resamples=10)["all"]["hit@2"] == pytest.approx(2 / 3)


def test_the_rank_of_every_labelled_query_is_found_and_null_where_its_answer_is_absent(queries):
    ranked = pl.DataFrame(
        [("6_A", 40, 1, 0.9), ("6_A", 30, 2, 0.8), ("6_B", 30, 1, 0.7), ("7_A", 41, 26, 0.6), ("7_D", 41, 1, 0.5)],
        schema=CANDIDATES.schema,
        orient="row",
    )
    ranks = find_ranks(queries.filter(pl.col("fold") == "valid"), ranked).sort("query_id")
    # 7_D is labelled by nobody; the answer of 6_B is 40, that of 7_C is 42
    assert dict(ranks.select("query_id", "rank").iter_rows()) == {"6_A": 2, "6_B": None, "7_A": 26, "7_C": None}


def test_seen_unseen_and_weighted_are_worked_out_by_hand():
    ranks = ranks_of(("1_A", 1, 10, 1), ("1_B", 1, 11, 2), ("2_A", 2, 20, 4), ("3_A", 3, 21, None), ("4_A", 4, 21, 30))
    figures = summarise(ranks, {10, 11}, recall_at=3, resamples=50)
    # AP 1, 1/2 | 1/4, 0, 0. all: 1.75 / 5, seen: 1.5 / 2, unseen: 0.25 / 3, weighted: 0.25 * 0.75 + 0.75 * 0.25 / 3
    expected = {"all": 0.35, "seen": 0.75, "unseen": 0.25 / 3, "weighted": 0.1875 + 0.0625}
    assert {name: part["map@25"] for name, part in figures.items()} == pytest.approx(expected, abs=1e-12)
    # in the first 3: both of the seen, none of the unseen (4 is not)
    expected = {"all": 0.4, "seen": 1, "unseen": 0, "weighted": 0.25}
    assert {name: part["recall@3"] for name, part in figures.items()} == pytest.approx(expected, abs=1e-12)
    assert {name: part["pairs"] for name, part in figures.items()} == {"all": 5, "seen": 2, "unseen": 3, "weighted": 5}


def test_recall_counts_ranks_below_25_too_where_it_is_asked_at_more():
    ranks = ranks_of(("1_A", 1, 10, 25), ("2_A", 2, 10, 26), ("3_A", 3, 10, 100), ("4_A", 4, 10, 101))
    assert summarise(ranks, {10}, recall_at=100)["all"]["recall@100"] == 0.75


def test_a_part_without_pairs_is_left_out():
    ranks = ranks_of(("1_A", 1, 10, 1))
    assert set(summarise(ranks, {10})) == {"all", "seen"}
    assert set(summarise(ranks, set())) == {"all", "unseen"}


def test_one_query_is_measured_without_any_spread():
    figures = summarise(ranks_of(("1_A", 1, 10, 4)), {10})["all"]
    # every resample of one question is that question
    assert figures == {"map@25": 0.25, "recall@25": 1.0, "low": 0.25, "high": 0.25, "pairs": 1}


def test_the_interval_is_the_same_every_time_and_holds_the_mean():
    ranks = ranks_of(*((f"{number}_A", number, number % 7, number % 9 + 1) for number in range(60)))
    figures = summarise(ranks, {0, 1, 2})
    assert figures == summarise(ranks, {0, 1, 2})
    for part in figures.values():
        assert part["low"] < part["map@25"] < part["high"]


def test_whole_questions_are_drawn_so_that_copies_of_a_query_do_not_narrow_the_interval():
    single = ranks_of(*((f"{number}_A", number, 1, number % 5 + 1) for number in range(40)))
    copies = ranks_of(*((f"{number}_{option}", number, 1, number % 5 + 1) for number in range(40) for option in "ABC"))
    one, three = (summarise(ranks, {1})["all"] for ranks in (single, copies))
    assert (one["low"], one["high"]) == pytest.approx((three["low"], three["high"]), abs=1e-12)


def test_the_order_of_the_rows_does_not_matter():
    ranks = ranks_of(*((f"{number}_A", number, number % 7, number % 9 + 1) for number in range(60)))
    shuffled = summarise(ranks.sample(fraction=1, shuffle=True, seed=3), {0, 1, 2})
    for name, part in summarise(ranks, {0, 1, 2}).items():
        assert part == pytest.approx(shuffled[name], abs=1e-12)


def test_without_any_pair_there_are_no_figures():
    assert summarise(ranks_of(), {10}) == {}


def test_a_tied_pair_counts_as_neither_in_kendalls_tau():
    # of three pairs two are in the same order and one is tied: 2/3, where scipy's tau-b has 2/sqrt(6)
    assert kendall_tau(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.0])) == pytest.approx(2 / 3)
    assert kendall_tau(np.array([1.0, 2.0]), np.array([5.0, 5.0])) == 0


def test_without_a_weight_of_the_unseen_the_headline_is_the_plain_mean():
    ranks = ranks_of(("1_A", 1, 10, 1), ("2_A", 2, 10, 2), ("3_A", 3, 20, None))
    figures = summarise(ranks, {10}, unseen_weight=None, resamples=20)
    assert figures["weighted"]["map@25"] == figures["all"]["map@25"] == pytest.approx((1 + 1 / 2 + 0) / 3)
    alike = summarise(ranks.head(2), {10}, unseen_weight=None, resamples=20)  # all seen: a weight would have no figure
    assert alike["weighted"]["map@25"] == pytest.approx(3 / 4) and "weighted" not in summarise(ranks.head(2), {10})


def test_grades_reach_the_metric():
    ranks = ranks_of(("1_A", 1, 10, 1), ("1_A", 1, 11, 2)).with_columns(grade=pl.Series([1, 3]))
    # (1 / log2(2) + 3 / log2(3)) / (3 / log2(2) + 1 / log2(3))
    expected = (1 + 3 / np.log2(3)) / (3 + 1 / np.log2(3))
    assert score_queries(ranks, Metric("ndcg", 10, ndcg)).to_list() == pytest.approx([expected])
