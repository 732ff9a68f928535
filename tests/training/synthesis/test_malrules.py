"""Checks that the demo data says what it claims: every label is the result of carrying out its wrong rule."""

import csv
import re
from fractions import Fraction
from random import Random

import pytest

from training.synthesis.malrules import MISCONCEPTIONS, TEMPLATES
from training.synthesis.malrules.generate import make_competition, write_competition
from training.synthesis.malrules.questions import LETTERS, make_question, nudge, phrase, run_rules

BY_CONSTRUCT = {template.construct: template for template in TEMPLATES}


@pytest.fixture(scope="module")
def competition():
    return make_competition(questions=240, test_questions=60, seed="demo")


def read_rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_bytes(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_there_are_at_least_96_misconceptions_with_names_of_their_own():
    assert len(MISCONCEPTIONS) >= 96
    assert len({name.lower().strip() for name in MISCONCEPTIONS}) == len(MISCONCEPTIONS)


def test_constructs_are_unique_so_that_one_names_one_template():
    assert len(BY_CONSTRUCT) == len(TEMPLATES)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.construct)
def test_every_wrong_rule_goes_wrong_on_some_draw(template):
    rng = Random("draws")
    found = {name for _ in range(60) for name in run_rules(template, template.draw(rng))}
    assert found == set(template.rules)


def test_two_rules_that_meet_in_one_distractor_make_the_draw_unfair():
    # 2 + 2 x 5 = 12, but both (2 + 2) x 5 and 2 x 2 x 5 are 20
    template = BY_CONSTRUCT["Carry out an addition followed by a multiplication"]
    assert run_rules(template, {"a": 2, "b": 2, "c": 5}) == {}


def test_every_label_is_on_a_wrong_option_and_comes_from_carrying_out_its_rule(competition):
    for question in [*competition[0], *competition[1]]:
        template = question.template
        assert question.options[question.correct] == template.show(template.right(**question.params))
        assert question.correct not in question.labels
        for letter, name in question.labels.items():
            assert question.options[letter] == template.show(template.rules[name](**question.params))


def test_an_unlabelled_wrong_option_is_produced_by_no_rule(competition):
    for question in [*competition[0], *competition[1]]:
        produced = set(run_rules(question.template, question.params).values())
        plain = [question.options[letter] for letter in LETTERS if letter not in {question.correct, *question.labels}]
        assert produced.isdisjoint(plain)


def test_the_four_options_differ_and_one_to_three_of_them_are_labelled(competition):
    for question in [*competition[0], *competition[1]]:
        assert len(set(question.options.values())) == 4
        assert 1 <= len(question.labels) <= 3


def test_no_two_options_are_one_number_written_in_two_ways(competition):
    for question in [*competition[0], *competition[1]]:
        numbers = [float(text) for text in question.options.values() if re.fullmatch(r"-?\d+(\.\d+)?", text)]
        assert len(set(numbers)) == len(numbers)


def test_no_question_is_asked_twice(competition):
    texts = [question.text for question in [*competition[0], *competition[1]]]
    assert len(set(texts)) == len(texts)


def test_about_a_third_of_the_misconceptions_and_three_quarters_of_the_test_labels_are_unseen(competition):
    train, test = competition
    seen = {name for question in train for name in question.labels.values()}
    labels = [name for question in test for name in question.labels.values()]
    assert 0.25 <= 1 - len(seen) / len(MISCONCEPTIONS) <= 0.4
    assert 0.6 <= sum(name not in seen for name in labels) / len(labels) <= 0.9


def test_a_slip_keeps_the_sign_and_never_leaves_the_value_as_it_is():
    rng = Random("slips")
    for value in (1, -3, 10, 4700, Fraction(1, 2), Fraction(-2, 3), Fraction(25, 2)):
        slips = {nudge(value, rng) for _ in range(200)}
        assert value not in slips
        assert all(slip * value > 0 for slip in slips)
    assert all(0 < nudge(Fraction(1, 2), rng) < 1 for _ in range(200))


def test_the_same_arguments_give_the_same_bytes_and_another_seed_gives_others(tmp_path):
    for name, seed in (("one", "demo"), ("two", "demo"), ("three", "other")):
        write_competition(tmp_path / name, questions=30, test_questions=10, seed=seed)
    assert read_bytes(tmp_path / "one") == read_bytes(tmp_path / "two")
    assert read_bytes(tmp_path / "one")["train.csv"] != read_bytes(tmp_path / "three")["train.csv"]


def test_the_files_have_the_columns_and_ids_of_the_competition(tmp_path):
    write_competition(tmp_path / "demo", questions=30, test_questions=10)
    files = {path.name: read_rows(path) for path in (tmp_path / "demo").iterdir()}
    columns = [
        "QuestionId",
        "ConstructId",
        "ConstructName",
        "SubjectId",
        "SubjectName",
        "CorrectAnswer",
        "QuestionText",
    ]
    columns += [f"Answer{letter}Text" for letter in LETTERS]
    assert list(files["test.csv"][0]) == columns
    assert list(files["train.csv"][0]) == columns + [f"Misconception{letter}Id" for letter in LETTERS]
    assert [int(row["QuestionId"]) for row in files["train.csv"] + files["test.csv"]] == list(range(40))
    assert [row["MisconceptionName"] for row in files["misconception_mapping.csv"]] == list(MISCONCEPTIONS)
    assert len(files["sample_submission.csv"]) == 30
    assert {len(set(row["MisconceptionId"].split(" "))) for row in files["sample_submission.csv"]} == {25}


def test_labels_are_written_as_floats_and_empty_where_there_are_none(tmp_path, competition):
    write_competition(tmp_path / "demo")
    rows = read_rows(tmp_path / "demo" / "train.csv")
    assert len(rows) == len(competition[0])
    for row, question in zip(rows, competition[0], strict=True):
        names = [question.labels.get(letter) for letter in LETTERS]
        expected = [f"{MISCONCEPTIONS.index(name)}.0" if name else "" for name in names]
        assert [row[f"Misconception{letter}Id"] for letter in LETTERS] == expected
        assert row[f"Misconception{row['CorrectAnswer']}Id"] == ""


def test_test_labels_name_the_misconception_of_each_labelled_test_option(tmp_path, competition):
    write_competition(tmp_path / "demo")
    written = {
        row["QuestionId_Answer"]: MISCONCEPTIONS[int(row["MisconceptionId"])]
        for row in read_rows(tmp_path / "demo" / "test_labels.csv")
    }
    expected = {f"{i}_{k}": name for i, q in enumerate(competition[1], start=240) for k, name in q.labels.items()}
    assert written == expected


def test_fields_with_commas_quotes_and_line_breaks_come_through_the_csv(tmp_path, competition):
    write_competition(tmp_path / "demo")
    texts = [row["QuestionText"] for row in read_rows(tmp_path / "demo" / "train.csv")]
    assert texts == [question.text for question in competition[0]]
    for mark in (",", '"', "\n", "\\("):
        assert any(mark in text for text in texts)


def test_a_folder_that_is_already_right_is_left_alone(tmp_path):
    write_competition(tmp_path / "demo", questions=10, test_questions=5)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "demo").iterdir()}
    write_competition(tmp_path / "demo", questions=10, test_questions=5)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "demo").iterdir()} == before


def test_a_folder_with_something_else_is_refused_and_stays_as_it_was(tmp_path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "train.csv").write_text("real data", encoding="utf-8")
    with pytest.raises(ValueError, match="already holds something else"):
        write_competition(tmp_path / "demo", questions=10, test_questions=5)
    assert read_bytes(tmp_path / "demo") == {"train.csv": b"real data"}
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_a_template_with_no_new_question_left_is_an_error_that_says_so():
    template, rng = BY_CONSTRUCT["Square a bracket"], Random("full")
    taken = {phrase(text, {"a": a}, rng) for text in template.texts for a in range(3, 26)}
    with pytest.raises(ValueError, match="ask for fewer questions"):
        make_question(template, lambda names: names[:1], taken, rng)
