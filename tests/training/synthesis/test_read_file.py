"""Guards how a file of written questions is read: letters are forgotten, rows that are no question have a reason."""

import csv

import pytest

from training.synthesis.question import Unusable
from training.synthesis.read_file import COLUMNS, read_questions

ROW = dict(
    zip(COLUMNS, ("Fractions", "Add", "1/2 + 1/3?", "B", "2/5", "5/6", "1/6", "1", "7.0", "", "", ""), strict=True)
)


def write(path, *rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_row_becomes_a_question_whose_letters_are_forgotten(tmp_path):
    [one, again], unusable = read_questions(write(tmp_path / "q.csv", ROW, ROW), {7})
    assert (one.name, again.name, one.misconception_id, unusable) == ("7/0", "7/1", 7, [])
    assert (one.correct, one.wrong, one.others) == ("5/6", "2/5", ("1/6", "1"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"CorrectAnswer": "E"}, "no_right_option"),
        ({"MisconceptionAId": ""}, "not_one_label"),
        ({"MisconceptionCId": "7"}, "not_one_label"),
        ({"CorrectAnswer": "A"}, "label_on_right"),
        ({"AnswerDText": " "}, "empty"),
    ],
)
def test_a_row_that_is_no_question_is_kept_aside_with_the_reason(tmp_path, change, reason):
    assert read_questions(write(tmp_path / "q.csv", ROW | change), {7}) == ([], [Unusable("line 2", reason)])


def test_a_misconception_that_the_catalogue_has_not_is_refused(tmp_path):
    with pytest.raises(ValueError, match="7 is no misconception of the catalogue"):
        read_questions(write(tmp_path / "q.csv", ROW), {8})


def test_a_missing_file_is_refused_with_the_columns_it_needs(tmp_path):
    with pytest.raises(ValueError, match="does not exist: it needs SubjectName"):
        read_questions(tmp_path / "q.csv", {7})
