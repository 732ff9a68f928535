"""Guards parts.py: the teacher of a part has learnt neither its rows, nor their questions, nor their misconceptions."""

from collections import Counter

import polars as pl

from shared.task.tables import LESSONS, MISCONCEPTIONS, QUERIES
from training.evaluation.teacher_audit import find_learnt_rows
from training.run_folder.teachers import PARTS
from training.teaching.parts import cut_parts, leave_out

NAMES = {1: "Adds", 2: "Adds.", 3: "Swaps", 4: "Rounds up", 5: "Forgets the sign", 6: "Halves"}
CATALOGUE = pl.DataFrame(list(NAMES.items()), schema=MISCONCEPTIONS.schema, orient="row")
WORDS = ("one", "two", "three", "four", "five", "six", "seven")


def rows(*labelled, fold="train"):
    """Rows of query id and misconception, each question with a text of its own."""
    made = [
        (name, int(name[0]), "c", "s", f"the question {WORDS[int(name[0])]}", "1", "2", id_, fold)
        for name, id_ in labelled
    ]
    return pl.DataFrame(made, schema=QUERIES.schema, orient="row")


QUERIES_HERE = rows(("1_A", 1), ("1_B", 3), ("2_A", 2), ("3_A", 4), ("4_A", 5), ("5_A", 3), ("6_A", None))


def test_a_row_is_in_the_part_of_its_misconception_and_the_same_words_are_one():
    parts = cut_parts(QUERIES_HERE, CATALOGUE, 2, "seed")
    assert set(parts) == {"1_A", "1_B", "2_A", "3_A", "4_A", "5_A"}  # 6_A has no label
    assert parts["1_A"] == parts["2_A"] and parts["1_B"] == parts["5_A"]
    assert Counter({parts[name] for name in [query]}.pop() for query in ("1_A", "1_B", "3_A", "4_A")) == {0: 2, 1: 2}
    assert cut_parts(QUERIES_HERE.reverse(), CATALOGUE, 2, "seed") == parts
    assert any(cut_parts(QUERIES_HERE, CATALOGUE, 2, str(seed)) != parts for seed in range(9))
    valid = pl.concat([QUERIES_HERE, rows(("0_A", 6), fold="valid")])
    assert cut_parts(valid, CATALOGUE, 2, "seed") == parts


def test_a_teacher_does_not_learn_its_part_nor_what_shares_question_or_misconception_with_it():
    part_of = {"1_A": 0, "1_B": 1, "2_A": 1, "3_A": 1, "4_A": 1, "5_A": 1}
    kept, hidden = leave_out(QUERIES_HERE, CATALOGUE, part_of, 0, 0.75)
    # 1_A is the part; 1_B is of its question, and 2_A has the words of its misconception
    assert kept["query_id"].to_list() == ["3_A", "4_A", "5_A", "6_A"] and hidden == {1, 2}
    near = QUERIES_HERE.with_columns(
        question=pl.when(pl.col("question_id") == 4).then(pl.lit("the question two")).otherwise("question")
    )
    assert leave_out(near, CATALOGUE, part_of, 0, 0.75)[0]["query_id"].to_list() == ["3_A", "5_A", "6_A"]


def test_the_audit_finds_a_row_whose_teacher_has_learnt_its_question_or_its_misconception():
    part_of = cut_parts(QUERIES_HERE, CATALOGUE, 2, "seed")
    lessons = []
    for part in (0, 1):
        kept = leave_out(QUERIES_HERE, CATALOGUE, part_of, part, 0.75)[0].drop_nulls("misconception_id")
        lessons += [(f"part_{part}", *row) for row in kept.select("query_id", "question_id").iter_rows()]
    lessons = pl.DataFrame(lessons, schema=LESSONS.schema, orient="row")
    parts = pl.DataFrame(sorted(part_of.items()), schema=PARTS.schema, orient="row")

    scored = QUERIES_HERE.drop_nulls("misconception_id")

    def found(parts=parts, lessons=lessons):
        return find_learnt_rows(scored, parts, lessons, QUERIES_HERE, CATALOGUE)

    assert len(lessons) and found() == []
    own = f"part_{part_of['1_A']}"
    question, words = (
        pl.concat([lessons, pl.DataFrame([(own, *row)], schema=LESSONS.schema, orient="row")])
        for row in (("1_B", 1), ("2_A", 2))
    )
    assert "1_A" in found(lessons=question) and {"1_A", "2_A"} <= set(found(lessons=words))
    assert found(parts=parts.filter(pl.col("query_id") != "4_A")) == ["4_A"]
