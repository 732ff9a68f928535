"""Guards how questions are asked for and read: need first, no held-out row shown, labelled lines parsed."""

from contextlib import contextmanager

import polars as pl
import pytest

from inference.engines.protocols import Generated
from inference.writing.write import OpenableWriter, write_texts
from shared.prompts.synthesis import INSTRUCTION, LABELS, lines_of, question_prompt
from shared.prompts.words import Words
from shared.task.tables import MISCONCEPTIONS, QUERIES
from training.synthesis.parse import parse_question
from training.synthesis.question import Question, Unusable
from training.synthesis.requests import Wanted, nearest_shots, order_by_need, question_requests

WORDS = Words(lambda text: list(map(ord, text)), lambda text: list(map(ord, text)), head=(), tail=())
LINES = """Subject: Fractions
Construct: Add
Question: 1/2 + 1/3?
Correct answer: 5/6
Wrong answer: 2/5
Other answer 1: 1/6
Other answer 2: 1"""
QUESTION = Question("7/0", 7, "Fractions", "Add", "1/2 + 1/3?", "5/6", "2/5", ("1/6", "1"))
NAMES = pl.DataFrame(
    [(1, "Adds fractions by tops"), (2, "Adds fractions by bottoms"), (3, "Adds angles"), (4, "Adds fractions")],
    schema=MISCONCEPTIONS.schema,
    orient="row",
)


def query(id_, question, label, fold="train", wrong="w"):
    return (f"{question}_{id_}", question, "c", "s", f"q{question}", "r", wrong, label, fold)


# Question 10 carries 1 and 2, 11 carries 2, 12 is held out and carries 4, 13 carries 3 twice.
ROWS = [
    *(query("A", 10, 1), query("B", 10, 2), query("C", 10, None, wrong="third"), query("A", 11, 2)),
    *(query("A", 12, 4, "valid"), query("A", 13, 3), query("B", 13, 3)),
]
QUERIES_TABLE = pl.DataFrame(ROWS, schema=QUERIES.schema, orient="row")


def test_labelled_lines_become_a_question_with_or_without_the_first_label():
    assert parse_question("7/0", LINES) == QUESTION
    assert parse_question("7/0", LINES.removeprefix("Subject:")) == QUESTION


def test_a_solved_example_has_the_form_that_is_parsed():
    fields = dict(zip(LABELS.values(), ("Fractions", "Add", "1/2 + 1/3?", "5/6", "2/5", "1/6", "1"), strict=True))
    assert lines_of(fields) == LINES


def test_a_field_may_have_several_lines_and_bold_labels_are_read():
    raw = LINES.replace("Question: ", "**Question:** Look:\n").replace("1/3?", "1/3?\n")
    assert parse_question("7/0", raw).question == "Look:\n1/2 + 1/3?"


def test_latex_is_taken_as_it_stands():
    assert parse_question("7/0", LINES.replace("5/6", r"\( \frac{5}{6} \times 1 \)")).correct == (
        r"\( \frac{5}{6} \times 1 \)"
    )


def test_a_second_question_behind_the_first_is_left_out():
    assert parse_question("7/0", f"{LINES}\n{LINES.replace('Fractions', 'Angles')}") == QUESTION


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (LINES.partition("Other answer 2")[0], "no_other_2"),
        (LINES.replace("2/5", ""), "no_wrong"),
        ("I cannot do that.", "no_construct"),
        ("", "no_subject"),
    ],
)
def test_what_lacks_a_line_is_no_question(raw, reason):
    assert parse_question("7/0", raw) == Unusable("7/0", reason)


def test_never_labelled_ids_come_first_then_the_rarest_and_a_held_out_one_counts_as_never_labelled():
    assert order_by_need(QUERIES_TABLE, NAMES, "s")[:2] == [4, 1]  # 4 is carried by a held-out row alone
    assert set(order_by_need(QUERIES_TABLE, NAMES, "s")[2:]) == {2, 3}  # two rows each


def test_shots_are_training_rows_of_near_other_misconceptions_the_nearest_last():
    [shots] = nearest_shots(QUERIES_TABLE, NAMES, [4], 3, "s").values()
    assert [shot.query_id.partition("_")[0] for shot in shots] == ["13", "11", "10"]  # angles share "adds" alone
    assert "Other answer 1" in shots[-1].lines


def test_no_shot_is_of_the_misconception_itself_or_of_a_question_that_carries_it():
    [shots] = nearest_shots(QUERIES_TABLE, NAMES, [1], 3, "s").values()
    assert [shot.query_id.partition("_")[0] for shot in shots] == ["13", "11"]


def test_a_held_out_row_changes_no_request():
    wanted = Wanted(misconceptions=0, each=2, shots=2, seed="s")
    other = QUERIES_TABLE.filter(pl.col("fold") == "train")
    assert question_requests(QUERIES_TABLE, NAMES, WORDS, wanted) == question_requests(other, NAMES, WORDS, wanted)


def test_requests_come_in_the_order_of_need_and_questions_of_one_misconception_share_their_prompt():
    requests = question_requests(QUERIES_TABLE, NAMES, WORDS, Wanted(misconceptions=2, each=2, shots=2, seed="s"))
    assert [one.key for one in requests] == ["4/0", "4/1", "1/0", "1/1"]
    assert requests[0].prompt == requests[1].prompt
    assert all(one.shots and not one.saw_label and one.fold == "train" for one in requests)


def test_the_prompt_has_the_examples_in_front_of_the_name_and_ends_with_the_first_label():
    text = "".join(map(chr, question_prompt(WORDS, "NAME", "NOTE", [("OTHER", "LINES")])))
    end = "Misconception: OTHER\nLINES\n\nMisconception: NAME\nWhat it means: NOTE\nSubject:"
    assert text == f"{INSTRUCTION}\n\n{end}"


def test_a_killed_writer_goes_on_where_it_was(tmp_path):
    requests = question_requests(QUERIES_TABLE, NAMES, WORDS, Wanted(misconceptions=2, each=2, shots=1, seed="s"))
    asked = []

    class Fake:
        def generate(self, prompts, sampling, seeds=()):
            asked.extend(seeds)
            return [Generated(LINES, 40, "stop") for _ in prompts]

    @contextmanager
    def opened():
        yield Fake()

    writer = OpenableWriter("fake", "1", opened)
    write_texts(requests[:3], writer, tmp_path)
    texts = write_texts(requests, writer, tmp_path)
    assert len(asked) == len(set(asked)) == 4  # each once, each with a seed of its own
    assert all(isinstance(parse_question(*row), Question) for row in texts.select("key", "raw").iter_rows())
