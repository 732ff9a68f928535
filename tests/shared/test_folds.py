"""Guards shared/folds.py: what is held out is held out whole, and the same on every machine."""

import polars as pl
import pytest

from shared.folds import hold_out_misconceptions, hold_out_questions, seed_of, seen_ids
from shared.tables import QUERIES


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
    return pl.DataFrame(rows, schema=QUERIES, orient="row")


@pytest.mark.parametrize("seed", ["folds", "a", "b", "c"])
def test_no_held_out_misconception_is_in_training(many, seed):
    # 80 questions with one label each, 4 for each of 20 misconceptions: a quarter is 5, and nothing else is in "valid"
    rows = [(f"{number}_A", number, "c", "s", f"{number}", "1", "2", number % 20, "train") for number in range(80)]
    split = hold_out_misconceptions(pl.DataFrame(rows, schema=QUERIES, orient="row"), 0.25, seed)
    valid = split.filter(pl.col("fold") == "valid")
    assert (len(valid), valid["misconception_id"].n_unique()) == (20, 5)
    assert not set(valid["misconception_id"]) & seen_ids(split)
    # where questions carry several, those that are held out (a quarter of 35: 9) are still unseen, others may be
    valid = hold_out_misconceptions(many, 0.25, seed).filter(pl.col("fold") == "valid")["misconception_id"].drop_nulls()
    assert len(set(valid) - seen_ids(hold_out_misconceptions(many, 0.25, seed))) >= 9


@pytest.mark.parametrize("seed", ["folds", "a", "b", "c"])
def test_a_question_and_all_questions_with_its_text_stay_in_one_fold(many, seed):
    split = hold_out_misconceptions(many, 0.25, seed)
    for key in ("question_id", "question"):
        assert split.group_by(key).agg(pl.col("fold").n_unique())["fold"].to_list() == [1] * many[key].n_unique()
    assert set(split["fold"]) == {"train", "valid"}
    assert split.drop("fold").equals(many.drop("fold"))


def test_the_split_follows_from_the_seed_alone(many):
    split = hold_out_misconceptions(many, 0.25, "folds")
    assert split.equals(hold_out_misconceptions(many, 0.25, "folds"))
    shuffled = hold_out_misconceptions(many.sample(fraction=1, shuffle=True, seed=5), 0.25, "folds")
    assert split.sort("query_id").equals(shuffled.sort("query_id"))
    assert not split.equals(hold_out_misconceptions(many, 0.25, "other"))


def test_a_misconception_is_seen_where_a_training_query_carries_it(queries):
    assert seen_ids(queries) == {10, 11, 12, 20, 30, 31}  # 40, 41, 42 stand in "valid" only; 30 in both


def test_a_seed_is_the_same_on_every_machine_and_differs_by_name():
    # the first 8 bytes of SHA-256("abc"), FIPS 180-2's first example
    assert seed_of("abc") == 0xBA7816BF8F01CFEA
    assert seed_of("a", 1) == seed_of("a/1") != seed_of("a", 2)


def test_holding_out_questions_takes_that_share_of_the_texts_whole(many):
    split = hold_out_questions(many, 0.25, "folds")
    # 60 questions, of which 6 repeat a text: 54 texts, a quarter is 13.5, rounded to 14
    assert split.filter(pl.col("fold") == "valid")["question"].n_unique() == 14
    assert split.group_by("question").agg(pl.col("fold").n_unique())["fold"].max() == 1
    assert split.equals(hold_out_questions(many, 0.25, "folds"))
