"""Guards batches.py: what is drawn follows from names, and an epoch is every query once."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from shared.prompts.embedder import Example
from shared.settings.sections import TrainReranker
from shared.task.folds import seed_of
from shared.task.tables import GROUPS
from tests.training.tiny import mined_from
from training.trainer.batches import (
    Group,
    choose_training_examples,
    cut_evenly,
    draw_epoch,
    draw_examples,
    keep_together,
    read_groups,
    shown_rationale,
)

MINED = [Group(f"{number}_A", (number, *range(100, 110))) for number in range(23)]
DRAW = {"group": 4, "batch": 5, "seed": "train"}


def flat(updates):
    return [group for update in updates for group in update]


def test_an_epoch_is_every_query_once_in_updates_of_the_batch_and_a_rest():
    updates = draw_epoch(MINED, epoch=1, **DRAW)
    assert [len(update) for update in updates] == [5, 5, 5, 5, 3]
    assert sorted(group.query_id for group in flat(updates)) == sorted(mined.query_id for mined in MINED)


def test_a_group_is_the_positive_and_different_negatives_of_its_query():
    for group in flat(draw_epoch(MINED, epoch=1, **DRAW)):
        positive, *negatives = group.misconception_ids
        assert f"{positive}_A" == group.query_id
        assert len(set(negatives)) == 3 and set(negatives) <= set(range(100, 110))


def test_another_epoch_or_seed_is_another_order_with_other_negatives_and_the_same_one_is_the_same():
    first = draw_epoch(MINED, epoch=1, **DRAW)
    assert first == draw_epoch(MINED, epoch=1, **DRAW)
    for other in (draw_epoch(MINED, epoch=2, **DRAW), draw_epoch(MINED, epoch=1, **{**DRAW, "seed": "x"})):
        assert [group.query_id for group in flat(other)] != [group.query_id for group in flat(first)]
        negatives = {group.query_id: group.misconception_ids for group in flat(first)}
        assert any(group.misconception_ids != negatives[group.query_id] for group in flat(other))


def test_the_negatives_of_a_query_do_not_depend_on_the_other_queries():
    whole = {group.query_id: group for group in flat(draw_epoch(MINED, epoch=1, **DRAW))}
    for group in flat(draw_epoch(MINED[3:9], epoch=1, **DRAW)):
        assert group == whole[group.query_id]


def test_teacher_scores_stay_with_their_misconceptions(queries, misconceptions):
    mined = {row.query_id: row for row in mined_from(queries, misconceptions)}
    for group in flat(draw_epoch(list(mined.values()), epoch=1, **DRAW)):
        whole = mined[group.query_id]
        scores = dict(zip(whole.misconception_ids, whole.teacher_scores, strict=True))
        assert group.teacher_scores == tuple(scores[id_] for id_ in group.misconception_ids)


def test_too_few_negatives_name_the_query_and_the_number():
    with pytest.raises(ValueError, match="query 3_A has 2 mined negatives, a group of 4 needs 3"):
        draw_epoch([*MINED[:3], Group("3_A", (3, 100, 101))], epoch=1, **DRAW)


def test_mined_queries_are_read_the_same_from_rows_in_any_order():
    rows = [
        ("2_B", 7, None, None, True),
        ("2_B", 9, 3, 0.1, False),
        ("1_A", 5, 2, 0.2, False),
        ("1_A", 4, 1, 0.3, True),
    ]
    table = pl.DataFrame([*rows, ("1_A", 3, 9, 0.1, False)], schema=GROUPS.schema, orient="row")
    expected = [Group("1_A", (4, 3, 5)), Group("2_B", (7, 9))]
    assert read_groups(table) == read_groups(table.reverse()) == expected
    taught = table.with_columns(teacher_score=pl.Series([1, 2, 3, 4, 5], dtype=pl.Float32))
    assert read_groups(taught)[0] == Group("1_A", (4, 3, 5), (4.0, 5.0, 3.0))


def test_a_query_with_several_right_answers_has_a_group_for_each():
    rows = [("1_A", 4, 1, 0.3, True), ("1_A", 6, None, None, True), ("1_A", 5, 2, 0.2, False)]
    table = pl.DataFrame([*rows, ("1_A", 3, 9, 0.1, False)], schema=GROUPS.schema, orient="row")
    first, second = read_groups(table.with_columns(teacher_score=pl.Series([1, 2, 3, 4], dtype=pl.Float32)))
    assert first == Group("1_A", (4, 3, 5), (1.0, 4.0, 3.0), others=(6,)) and first.name == "1_A/4"
    assert second == Group("1_A", (6, 3, 5), (2.0, 4.0, 3.0), others=(4,)) and second.name == "1_A/6"
    updates = draw_epoch([first, second], group=2, batch=1, epoch=1, seed="s")
    assert {(group.misconception_ids[0], group.others) for [group] in updates} == {(4, (6,)), (6, (4,))}


def test_examples_come_from_labelled_training_queries_only(queries, misconceptions):
    pool = draw_examples(queries, misconceptions, "folds")
    texts = dict(misconceptions.iter_rows())
    train = queries.filter(pl.col("fold") == "train").drop_nulls("misconception_id")
    assert sorted((question, answer) for question, answer, _ in pool) == sorted(
        train.select("question_id", "misconception_id").iter_rows()
    )
    for question, answer, example in pool:
        text = train.filter(pl.col("question_id") == question)["question"][0]
        assert f"Question: {text}\n" in example.query and example.response == texts[answer]
    assert pool == draw_examples(queries.reverse(), misconceptions.reverse(), "folds")
    assert pool != draw_examples(queries, misconceptions, "other")


def test_a_training_query_gets_no_to_most_examples_never_of_its_question_or_misconception():
    pool = [(number // 2, number % 5, Example(f"q{number}", f"r{number}")) for number in range(40)]
    allowed = {example for question, answer, example in pool if question != 3 and answer != 1}
    drawn = [choose_training_examples(pool, 3, {1}, most=2, seed=seed) for seed in range(200)]
    assert {len(examples) for examples in drawn} == {0, 1, 2}
    assert {example for examples in drawn for example in examples} == allowed
    assert all(len(set(examples)) == len(examples) for examples in drawn)
    assert drawn[17] == choose_training_examples(pool, 3, {1}, most=2, seed=17)


def test_where_no_example_is_allowed_there_is_none():
    pool = [(3, 1, Example("q", "r"))]
    assert all(choose_training_examples(pool, 3, {2}, most=2, seed=seed) == [] for seed in range(20))
    assert choose_training_examples([], 3, {2}, most=2, seed=0) == []


def test_micro_batches_are_worked_out_by_hand():
    # 21 tokens, at most 10 together: 3 micro-batches, or 4 for 2 processes; the longest first, each to the lightest
    tokens = [5, 1, 7, 4, 3, 1]
    assert cut_evenly(tokens, 10, 1) == [[2], [0, 1, 5], [3, 4]]
    assert cut_evenly(tokens, 10, 2) == [[2], [0], [3, 5], [1, 4]]
    assert cut_evenly(tokens, 100, 1) == [[0, 1, 2, 3, 4, 5]]


def test_there_are_no_more_micro_batches_than_groups():
    assert cut_evenly([3, 2], 1, 4) == [[0], [1]]


def test_a_rationale_is_left_out_as_often_as_asked_anew_in_every_update_and_never_where_nobody_asks():
    settings = TrainReranker(rationale_dropout=0.25)
    ids = [f"{number}_A" for number in range(2000)]
    shown = {seed: [shown_rationale("both", settings, seed, id_) for id_ in ids] for seed in ("train/1", "train/2")}
    # 2,000 draws with probability 0.25: 500, and a standard deviation of sqrt(2000 x 0.25 x 0.75) = 19
    assert all(abs(kinds.count("none") - 500) < 80 and set(kinds) == {"none", "both"} for kinds in shown.values())
    assert shown["train/1"] != shown["train/2"]
    assert shown_rationale("none", settings, "train/1", "1_A") == "none"
    assert {shown_rationale("cot", TrainReranker(), "s", id_) for id_ in ids} == {"cot"}


KIN = [Group(f"{number}_A", (number, *range(100, 110)), (), number // 2, frozenset({101, 104})) for number in range(24)]


def test_without_siblings_a_draw_is_what_it_was_before_there_were_any():
    plain = [group.misconception_ids for group in flat(draw_epoch(MINED, epoch=1, **DRAW))]
    kin = [replace(group, siblings=frozenset({101, 104})) for group in MINED]
    assert [group.misconception_ids for group in flat(draw_epoch(kin, epoch=1, **DRAW))] == plain
    # worked out with the code from before siblings: query 0_A in epoch 1
    order = np.random.default_rng(seed_of("train", 1, "0_A")).choice(10, 3, replace=False)
    assert next(ids for ids in plain if ids[0] == 0) == (0, *(100 + order))


def test_siblings_are_among_the_negatives_always_never_or_about_as_often_as_asked():
    always = flat(draw_epoch(KIN, epoch=1, siblings=1.0, **DRAW))
    assert all(
        {101, 104} <= set(group.misconception_ids) and len(set(group.misconception_ids)) == 4 for group in always
    )
    half = [
        {101, 104} & set(group.misconception_ids)
        for e in range(20)
        for group in flat(draw_epoch(KIN, epoch=e, siblings=0.5, **DRAW))
    ]
    assert abs(sum(map(len, half)) / (2 * len(half)) - 0.5) < 0.05  # 960 draws: three standard deviations
    small = flat(draw_epoch(KIN, epoch=1, siblings=1.0, **{**DRAW, "group": 2}))
    assert all(set(group.misconception_ids[1:]) <= {101, 104} for group in small)  # no room for both


def test_a_group_without_siblings_is_filled_with_what_was_mined():
    alone = [replace(group, siblings=frozenset()) for group in KIN]
    plain = draw_epoch(alone, epoch=1, **DRAW)
    assert draw_epoch(alone, epoch=1, siblings=1.0, **DRAW) == plain


def test_teacher_scores_stay_with_siblings_too():
    one = Group("1_A", (1, 5, 6, 7), (0.1, 0.5, 0.6, 0.7), 1, frozenset({6}))
    [[drawn]] = draw_epoch([one], group=3, batch=1, epoch=1, seed="train", siblings=1.0)
    assert drawn.misconception_ids[:2] == (1, 6) and drawn.teacher_scores[:2] == (0.1, 0.6)
    assert drawn.teacher_scores[2] == drawn.misconception_ids[2] / 10


def test_the_rows_of_one_question_stand_in_one_update():
    def one(question, letter):
        return Group(f"{question}_{letter}", (1, 2), (), question)

    rows = [one(1, "A"), one(2, "A"), one(1, "B"), one(3, "A"), one(3, "B"), one(4, "A"), one(2, "B"), one(1, "C")]
    together = keep_together([rows[:4], rows[4:]], 4)
    # question 1 has three rows; 2 and 3 have two and find no room beside it, 4 has one and does
    assert [[group.query_id for group in update] for update in together] == [
        ["1_A", "1_B", "1_C", "4_A"],
        ["2_A", "2_B", "3_A", "3_B"],
    ]
    # updates of 2: question 1 is larger than one and is split, and its rest is filled up with the single row
    assert [[group.query_id for group in update] for update in keep_together([rows], 2)] == [
        ["2_A", "2_B"],
        ["3_A", "3_B"],
        ["4_A", "1_A"],
        ["1_B", "1_C"],
    ]


def test_updates_that_keep_questions_together_are_as_large_as_before_and_hold_the_same():
    updates = draw_epoch(KIN[:23], epoch=1, **DRAW)
    together = keep_together(updates, 5)
    assert [len(update) for update in together] == [5, 5, 5, 5, 3]
    assert sorted(group.query_id for group in flat(together)) == sorted(group.query_id for group in flat(updates))


def test_read_groups_know_their_question_and_which_negatives_are_siblings_where_asked():
    rows = [("1_A", 4, 1, 0.3, True), ("1_A", 5, 2, 0.2, False), ("1_A", 6, 3, 0.1, False)]
    table = pl.DataFrame(rows, schema=GROUPS.schema, orient="row")
    siblings = pl.DataFrame({"query_id": ["1_A", "1_A", "2_A"], "misconception_id": [6, 9, 5]})  # 9 was not mined
    assert read_groups(table, {"1_A": 1}, siblings) == [Group("1_A", (4, 5, 6), (), 1, frozenset({6}))]
