"""Guards siblings.py: how alike the lists of a question's wrong answers are, worked by hand."""

import polars as pl
import pytest

from shared.task.metrics import mean_figures
from shared.task.tables import CANDIDATES, POOLS, SIBLINGS
from training.evaluation.siblings import (
    compare_siblings,
    hide_answers,
    likeness,
    sensitivity,
    with_siblings,
)


def lists(**ids):
    """A ranking whose list of "6_A" is `_6_A`, in both pools."""
    rows = [
        (name.removeprefix("_"), id_, rank, 1 / rank) for name, one in ids.items() for rank, id_ in enumerate(one, 1)
    ]
    table = pl.DataFrame(rows, schema=CANDIDATES.schema, orient="row")
    return dict.fromkeys(POOLS, table)


def row_of(table, question, ranking="one", pool="labelled"):
    found = table.filter(pl.col("question_id") == question, pl.col("ranking") == ranking, pl.col("pool") == pool)
    return found.drop("pool", "ranking", "question_id").row(0, named=True)


@pytest.fixture
def valid(queries):
    return queries.filter(pl.col("fold") == "valid")


def test_equal_lists_share_all_in_the_same_order_and_disjoint_ones_nothing_in_none():
    assert likeness([[1, 2, 3], [1, 2, 3]]) == (True, 3, 1.0)
    assert likeness([[1, 2, 3], [4, 5, 6]]) == (False, 0, None)
    assert likeness([[1, 2], [2, 1]]) == (False, 2, -1.0)
    assert likeness([[], []]) == (False, 0, None)


def test_shared_ids_and_their_order_are_means_over_the_pairs_of_three_siblings():
    # pairs: {1, 2} in the same order, tau 1; {1, 3} against each other, tau -1; {1} alone, no order
    same, shared, tau = likeness([[1, 2, 3], [1, 4, 2], [3, 1, 5]])
    assert (same, shared, tau) == (False, pytest.approx((2 + 2 + 1) / 3), pytest.approx(0.0))
    assert likeness([[1, 2, 3], [1, 4, 2], [1, 5, 6]])[0]


def test_only_labelled_rows_of_questions_with_two_of_them_are_siblings(valid):
    assert with_siblings(valid)["query_id"].to_list() == ["6_A", "6_B", "7_A", "7_C"]  # nobody labelled 7_D
    assert with_siblings(valid.head(1)).is_empty()


def test_a_hidden_answer_takes_what_was_written_about_it_along(valid):
    told = valid.with_columns(short=pl.lit("They add."), cot=pl.lit("First they add."))
    hidden = hide_answers(told)
    assert hidden["query_id"].to_list() == ["6_A", "7_A"]
    assert hidden.columns == valid.columns and set(hidden["wrong"]) == {""}
    assert hidden["question"].to_list() == ["5 - 8 = ?", "0.3 x 0.2 = ?"]


def test_right_answers_are_looked_for_in_the_own_list_the_siblings_and_the_blind_one(valid):
    # of question 6 the answers are 30 and 40. Own: 30 first (1), 40 second (1/2). Swapped: 30 third in 6_B's list
    # (1/3), 40 not in 6_A's (0). Hidden, in the one list that stands at 6_A: 30 second (1/2), 40 fourth (1/4).
    ranking = lists(_6_A=[30, 31, 11], _6_B=[31, 40, 30], _7_A=[41, 42], _7_C=[41, 42])
    table = compare_siblings({"one": ranking}, valid, {"one": lists(_6_A=[10, 30, 20, 40], _7_A=[])})
    SIBLINGS.check(table, "siblings")
    six = row_of(table, 6)
    assert (six["own"], six["swapped"], six["hidden"]) == pytest.approx((3 / 4, 1 / 6, 3 / 8))
    # 30 and 31 are in both lists, in opposite orders
    assert (six["same_first"], six["shared"], six["tau"]) == (False, 2.0, -1.0)
    # a ranking that does not read the wrong answer: its right answers stand as well in the sibling's list
    seven = row_of(table, 7)
    assert (seven["same_first"], seven["shared"], seven["tau"]) == (True, 2.0, 1.0)
    assert (seven["own"], seven["swapped"], seven["hidden"]) == (0.75, 0.75, 0.0)
    assert row_of(table, 6, "labels") == {**dict.fromkeys(six), "same_first": False, "shared": 0.0}


def test_siblings_with_the_same_right_answer_are_alike_for_a_reason_and_are_not_swapped(valid):
    same = valid.with_columns(pl.lit(30, pl.Int64).alias("misconception_id"))
    table = compare_siblings({"one": lists(_6_A=[30], _6_B=[30])}, same, {})
    assert row_of(table, 6, "labels")["same_first"] and row_of(table, 6, "labels")["shared"] == 1.0
    six = row_of(table, 6)
    assert six["same_first"] and (six["own"], six["swapped"], six["hidden"]) == (None, None, None)


def test_only_the_first_that_the_metric_counts_are_compared(valid):
    ranking = lists(_6_A=range(100, 130), _6_B=[*range(200, 225), *range(100, 130)])
    assert row_of(compare_siblings({"one": ranking}, valid, {}), 6)["shared"] == 0.0  # 100 is 26th in the second list


def test_figures_are_means_over_questions_and_over_draws_and_leave_out_what_was_not_measured(valid):
    ranking = lists(_6_A=[30, 31, 11], _6_B=[31, 40, 30], _7_A=[41, 42], _7_C=[41, 42])
    table = compare_siblings({"one": ranking}, valid, {})
    figures = sensitivity(table, 50)["labelled"]
    assert figures["one"]["questions"] == 2 and "hidden" not in figures["one"]
    assert figures["one"]["same_first"]["mean"] == 0.5 and figures["labels"]["same_first"]["mean"] == 0.0
    assert figures["one"]["own"]["mean"] == pytest.approx(0.75)
    assert figures["one"]["swapped"]["mean"] == pytest.approx((1 / 6 + 3 / 4) / 2)
    one = table.filter(pl.col("ranking") == "one", pl.col("pool") == "labelled")
    other = one.with_columns(same_first=True)
    assert mean_figures([one, other], ["same_first"], 50)["same_first"][0] == pytest.approx(0.75)
    assert set(figures["labels"]) == {"questions", "same_first", "shared"}
