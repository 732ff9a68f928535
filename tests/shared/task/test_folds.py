"""Guards folds.py: what is held out is held out whole, and the same on every machine."""

import polars as pl
import pytest

from shared.task.folds import (
    draw_misconceptions,
    hold_out_misconceptions,
    hold_out_questions,
    labelled_queries,
    seed_of,
    seen_ids,
    sibling_answers,
)
from shared.task.tables import MISCONCEPTIONS, QUERIES

NAMES = pl.DataFrame([(id_, f"Error {id_}") for id_ in range(40)], schema=MISCONCEPTIONS.schema, orient="row")


@pytest.fixture(scope="module")
def many():
    """60 questions with 3 wrong options each, 40 misconceptions, some unlabelled options, every tenth text twice."""
    rows = []
    for number in range(60):
        text = f"Text {number - 1 if number % 10 == 1 else number}"
        for place, option in enumerate("ABC"):
            label = (number * 7 + place * 11) % 40
            rows.append(
                (f"{number}_{option}", number, "c", "s", text, "1", "2", None if label % 9 == 0 else label, "train")
            )
    return pl.DataFrame(rows, schema=QUERIES.schema, orient="row")


@pytest.mark.parametrize("seed", ["folds", "a", "b", "c"])
def test_no_held_out_misconception_is_in_training(many, seed):
    # 80 questions with one label each, 4 for each of 20 misconceptions: a quarter is 5, and nothing else is in "valid"
    rows = [(f"{number}_A", number, "c", "s", f"{number}", "1", "2", number % 20, "train") for number in range(80)]
    split = hold_out_misconceptions(pl.DataFrame(rows, schema=QUERIES.schema, orient="row"), NAMES, 0.25, seed, 0.75)
    valid = split.filter(pl.col("fold") == "valid")
    assert (len(valid), valid["misconception_id"].n_unique()) == (20, 5)
    assert not set(valid["misconception_id"]) & seen_ids(split)
    # where questions carry several, those that are held out (a quarter of 35: 9) are still unseen, others may be
    valid = (
        hold_out_misconceptions(many, NAMES, 0.25, seed, 0.75)
        .filter(pl.col("fold") == "valid")["misconception_id"]
        .drop_nulls()
    )
    assert len(set(valid) - seen_ids(hold_out_misconceptions(many, NAMES, 0.25, seed, 0.75))) >= 9


@pytest.mark.parametrize("seed", ["folds", "a", "b", "c"])
def test_a_question_and_all_questions_with_its_text_stay_in_one_fold(many, seed):
    split = hold_out_misconceptions(many, NAMES, 0.25, seed, 0.75)
    for key in ("question_id", "question"):
        assert split.group_by(key).agg(pl.col("fold").n_unique())["fold"].to_list() == [1] * many[key].n_unique()
    assert set(split["fold"]) == {"train", "valid"}
    assert split.drop("fold").equals(many.drop("fold"))


def test_the_split_follows_from_the_seed_alone(many):
    split = hold_out_misconceptions(many, NAMES, 0.25, "folds", 0.75)
    assert split.equals(hold_out_misconceptions(many, NAMES, 0.25, "folds", 0.75))
    shuffled = hold_out_misconceptions(many.sample(fraction=1, shuffle=True, seed=5), NAMES, 0.25, "folds", 0.75)
    assert split.sort("query_id").equals(shuffled.sort("query_id"))
    assert not split.equals(hold_out_misconceptions(many, NAMES, 0.25, "other", 0.75))


def test_a_misconception_is_seen_where_a_training_query_carries_it(queries):
    assert seen_ids(queries) == {10, 11, 12, 20, 30, 31}  # 40, 41, 42 stand in "valid" only; 30 in both


def test_a_seed_is_the_same_on_every_machine_and_differs_by_name():
    # the first 8 bytes of SHA-256("abc"), FIPS 180-2's first example
    assert seed_of("abc") == 0xBA7816BF8F01CFEA
    assert seed_of("a", 1) == seed_of("a/1") != seed_of("a", 2)


def test_holding_out_questions_takes_that_share_of_the_texts_whole(many):
    split = hold_out_questions(many, 0.25, "folds", 0.75)
    # 60 questions, of which 6 repeat a text: 54 texts, a quarter is 13.5, rounded to 14
    assert split.filter(pl.col("fold") == "valid")["question"].n_unique() == 14
    assert split.group_by("question").agg(pl.col("fold").n_unique())["fold"].max() == 1
    assert split.equals(hold_out_questions(many, 0.25, "folds", 0.75))


def test_misconceptions_of_the_same_words_are_held_out_together(queries, misconceptions):
    # ten are carried, a tenth is one of them; 12 and 42 have the same words
    for seed in "abcdefghijklmnop":
        drawn = draw_misconceptions(queries, misconceptions, 0.1, seed)
        assert drawn in ({10}, {11}, {12, 42}, {20}, {30}, {31}, {40}, {41})


def test_a_question_whose_text_is_near_a_held_out_one_is_held_out_with_it():
    story = "Tom pays one rate for the first 100 units of gas that he uses and another for all the others. What for"
    texts = [f"{story} 800 units?", f"{story} 900 units?", "Round this number to 1 figure: 95", "Round it to 1: 7"]
    rows = [(f"{number}_A", number, "c", "s", text, "1", "2", number, "train") for number, text in enumerate(texts)]
    table = pl.DataFrame(rows, schema=QUERIES.schema, orient="row")
    for seed in "abcdefgh":  # one of the four misconceptions is held out, and so one question, or the two near ones
        folds = hold_out_misconceptions(table, NAMES, 0.25, seed, 0.75)["fold"].to_list()
        assert folds[0] == folds[1] and folds.count("valid") == (2 if folds[0] == "valid" else 1)
        folds = hold_out_questions(table, 0.34, seed, 0.75)["fold"].to_list()  # of three groups, one
        assert folds[0] == folds[1] and folds.count("valid") == (2 if folds[0] == "valid" else 1)


def test_labelled_queries_are_the_rows_of_their_fold_that_somebody_labelled(queries):
    assert labelled_queries(queries, "valid")["query_id"].to_list() == ["6_A", "6_B", "7_A", "7_C"]  # 7_D by nobody
    assert len(labelled_queries(queries, "train")) == 8


def test_a_siblings_answer_is_of_the_same_question_and_never_right_for_the_row_itself(queries, misconceptions):
    found = sibling_answers(queries, misconceptions)
    # questions 1, 2 and 4 have two labelled training rows; 3 has one, 5 stands alone, 6 and 7 are held out
    expected = [("1_A", 12), ("1_B", 10), ("2_A", 10), ("2_C", 11), ("4_B", 31), ("4_C", 30)]
    assert found.rows() == expected
    assert found.equals(sibling_answers(queries.reverse(), misconceptions))
    answer = pl.when(pl.col("query_id") == "1_A").then(42).otherwise("misconception_id")
    twins = queries.with_columns(misconception_id=answer)  # 42 has the words of 12, which 1_B carries: right for both
    assert sibling_answers(twins, misconceptions).rows() == expected[2:]
    alike = queries.with_columns(
        misconception_id=pl.when(pl.col("question_id") == 4).then(30).otherwise("misconception_id")
    )
    assert sibling_answers(alike, misconceptions).rows() == expected[:4]
