"""Guards teacher_scores.py: what a teacher takes for right is dropped, and teachers count alike."""

from math import exp

import polars as pl
import pytest

from shared.task.tables import TAUGHT
from training.teaching.teacher_scores import drop_likely_right, mean_scores, positive_mass


def taught(*rows):
    """Rows of query, misconception, whether it is right, score; ranks count up."""
    whole = [(query, id_, place, 0.5, right, score) for place, (query, id_, right, score) in enumerate(rows, 1)]
    return pl.DataFrame(whole, schema=TAUGHT.schema, orient="row")


def left(table, query="1_A"):
    return table.filter(query_id=query)["misconception_id"].to_list()


ROWS = taught(
    ("1_A", 10, True, -2.0),
    ("1_A", 11, False, -1.5),
    ("1_A", 12, False, -2.5),
    ("1_A", 13, False, -4.0),
    ("1_A", 14, False, -3.0),
    ("2_A", 10, False, 0.0),
    ("2_A", 11, True, 9.0),
)


def test_a_negative_above_the_right_answer_less_the_margin_is_dropped_by_difference_of_logits():
    # bounds of 1_A: -2, -3 (14 is just on it), -1; a share of the score, as 95 % of -2, would be -1.9 and keep 12 only
    assert left(drop_likely_right(ROWS, 0.0, 1)) == [10, 12, 13, 14]
    assert left(drop_likely_right(ROWS, 1.0, 1)) == [10, 13, 14]
    assert left(drop_likely_right(ROWS, -1.0, 1)) == [10, 11, 12, 13, 14]
    TAUGHT.check(drop_likely_right(ROWS, 1.0, 1), "taught")
    assert left(drop_likely_right(ROWS, 1.0, 1), "2_A") == [10, 11]


def test_a_query_keeps_its_lowest_negatives_in_any_case():
    assert left(drop_likely_right(ROWS, 5.0, 1)) == [10, 13]
    assert left(drop_likely_right(ROWS, 5.0, 3)) == [10, 12, 13, 14]
    assert drop_likely_right(ROWS, 5.0, 4).equals(ROWS)


def test_of_several_right_answers_the_one_that_scores_least_counts():
    rows = taught(("1_A", 1, True, 3.0), ("1_A", 2, True, 1.0), ("1_A", 3, False, 2.0), ("1_A", 4, False, 0.5))
    assert left(drop_likely_right(rows, 0.0, 1)) == [1, 2, 4]


def test_teachers_are_averaged_pair_by_pair_whatever_the_order_of_their_rows():
    other = ROWS.with_columns(teacher_score=pl.Series([0.0, 0.5, 0.5, 0.0, 1.0, 2.0, 3.0], dtype=pl.Float32))
    mean = mean_scores([ROWS, other.reverse()])
    assert mean["teacher_score"].to_list() == [-1.0, -0.5, -1.0, -2.0, -1.0, 1.0, 6.0]
    assert mean.drop("teacher_score").equals(ROWS.drop("teacher_score")) and mean.columns == ROWS.columns
    assert mean_scores([ROWS]) is ROWS


def test_the_mass_of_the_right_answers_is_their_share_of_the_softmax():
    rows = taught(("1_A", 1, True, 0.0), ("1_A", 2, False, 0.0), ("2_A", 1, True, 800.0), ("2_A", 2, False, 799.0))
    assert positive_mass(rows) == pytest.approx((1 / 2 + 1 / (1 + exp(-1))) / 2)
