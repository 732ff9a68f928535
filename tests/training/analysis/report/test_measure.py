"""Guards measure.py: what the report draws, on a few rows worked out by hand."""

import math

import polars as pl
import pytest

from shared.task.tables import QUERIES, RANKED, RANKS
from training.analysis.report.measure import (
    bin_ranks,
    by_subject,
    recall_by_depth,
    reliability,
    with_probability,
    worst_queries,
)


def ranks_of(ranks, ranking="reranked", seen=lambda place: False):
    rows = [("labelled", ranking, f"{n}_A", n, 10, seen(n), rank) for n, rank in enumerate(ranks)]
    return pl.DataFrame(rows, schema=RANKS.schema, orient="row")


def queries_of(subjects, answers=None):
    answers = answers or [10] * len(subjects)
    rows = [(f"{n}_A", n, "c", subject, "q", "r", "w", answers[n], "valid") for n, subject in enumerate(subjects)]
    return pl.DataFrame(rows, schema=QUERIES.schema, orient="row")


def ranked_of(scores, query_id="0_A"):
    """(misconception, score) in the order of retrieval."""
    rows = [(query_id, id_, rank, 1 / rank, score) for rank, (id_, score) in enumerate(scores, 1)]
    return pl.DataFrame(rows, schema=RANKED.schema, orient="row")


def test_small_subjects_are_one_row_behind_the_others_which_stand_best_first():
    # a: 1/1, 1/2 -> 0.75; b: 1/4, 0, 0 -> 1/12; c and d have a pair each: 1/5, 1/1 -> 0.6
    found = by_subject(ranks_of([1, 2, 4, None, 30, 5, 1]), queries_of("aabbbcd"), least=2, most=9, resamples=50)
    assert [(row["subject"], row["pairs"]) for row in found] == [("a", 2), ("b", 3), ("2 smaller subjects together", 2)]
    assert [row["map"] for row in found] == pytest.approx([0.75, 1 / 12, 0.6])
    assert all(row["low"] <= row["map"] <= row["high"] for row in found)
    most = by_subject(ranks_of([1, 2, 4, None, 30, 5, 1]), queries_of("aabbbcd"), least=1, most=1, resamples=50)
    assert [row["subject"] for row in most] == ["b", "3 smaller subjects together"]


def test_every_pair_is_in_one_bin_of_ranks():
    found = bin_ranks(ranks_of([1, 1, 2, 5, 25, 26, 200, 201, None]))
    assert {row["ranks"]: row["pairs"] for row in found} == {
        "1": 2,
        "2": 1,
        "3": 0,
        "4–5": 1,
        "6–10": 0,
        "11–25": 1,
        "26–100": 1,
        "101–200": 1,
        "further": 2,
    }


def test_recall_is_weighted_as_the_headline_is_and_an_absent_answer_is_never_found():
    # even places are seen: ranks 1, 3 and 30; odd ones 2 and none. At 2: 1/3 of seen, 1/2 of unseen
    found = {row["k"]: row["recall"] for row in recall_by_depth(ranks_of([1, 2, 3, None, 30], seen=is_even), 0.75)}
    assert found[2] == pytest.approx(0.25 / 3 + 0.75 / 2)
    assert found[200] == pytest.approx(0.25 + 0.75 / 2)
    unseen = {row["k"]: row["recall"] for row in recall_by_depth(ranks_of([1, 2, None, None]), 0.75)}
    assert unseen[25] == 0.5  # nothing is seen: the plain share


def is_even(place):
    return place % 2 == 0


def test_a_probability_is_the_softmax_over_the_first_labelled_candidates_of_a_query():
    # 10, 11, 13 are labelled, 12 is not; 13 is the third of them: softmax of log 3 and 0 is 3/4 and 1/4
    ranked = ranked_of([(12, 9.0), (11, 0.0), (10, math.log(3)), (13, 9.0)])
    rows = with_probability(ranked, queries_of("aaa", [10, 11, 13]), 2)
    assert rows.select("misconception_id", "rank", "right").rows() == [(10, 1, True), (11, 2, False)]
    assert rows["probability"].to_list() == pytest.approx([0.75, 0.25])


def test_reliability_counts_and_averages_within_tenths():
    rows = pl.DataFrame({"probability": [0.02, 0.08, 0.95, 1.0], "right": [False, True, True, True]})
    first, last = reliability(rows)
    assert (first["low"], first["high"], first["pairs"]) == (0.0, 0.1, 2)
    assert (first["probability"], first["right"]) == pytest.approx((0.05, 0.5))
    assert (last["low"], last["pairs"], last["right"], last["to"]) == (0.9, 2, 1.0, 1.0)


def test_an_interval_of_a_share_follows_wilson():
    # 1 of 2: (0.5 + z²/4 ± z sqrt(1/8 + z²/16)) / (1 + z²/2), z² = 3.8416 -> (1.4604 ± 1.1850) / 2.9208
    rows = pl.DataFrame({"probability": [0.5, 0.5, *[0.95] * 5], "right": [False, True, *[False] * 5]})
    half, none = reliability(rows)
    assert (half["from"], half["to"]) == pytest.approx((0.0945, 0.9055), abs=2e-4)
    assert none["from"] == 0.0


def test_the_worst_rows_are_the_lowest_ranked_then_those_most_sure_of_another():
    ranks = pl.concat([ranks_of([1, None, 40, None]), ranks_of([2, 9, None, 9], "retrieved")])
    rows = pl.DataFrame({"query_id": ["1_A", "3_A"], "rank": [1, 1], "probability": [0.3, 0.8]})
    found = worst_queries(ranks, rows, 3)
    assert found == [("3_A", 9, None), ("1_A", 9, None), ("2_A", None, 40)]
