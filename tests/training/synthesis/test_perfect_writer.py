"""Guards perfect_writer.py: it says what was done, in other words than the misconception's name, and says who it is."""

import csv
import subprocess
import sys
from random import Random

import polars as pl
import pytest

from inference.writing.clean import clean
from inference.writing.replay import replay
from shared.task.near_duplicates import words_of
from training.evaluation.text_audit import SHORT_WORD, alarms
from training.synthesis.malrules import MISCONCEPTIONS, TEMPLATES
from training.synthesis.malrules.generate import make_competition, write_competition
from training.synthesis.malrules.perfect_writer import FUNCTION_WORDS, NAME, explain
from training.synthesis.malrules.questions import Question, fill

BY_CONSTRUCT = {template.construct: template for template in TEMPLATES}
SMALL = {"questions": 30, "test_questions": 10, "seed": "demo"}


@pytest.fixture(scope="module")
def explained():
    """(question, letter, misconception or None, texts) of every wrong option of three competitions."""
    drawn = [make_competition(questions=240, test_questions=60, seed=seed) for seed in ("demo", "second", "third")]
    questions = [question for rounds in drawn for part in rounds for question in part]
    return [
        (question, letter, question.labels.get(letter), explain(question, letter))
        for question in questions
        for letter in question.options
        if letter != question.correct
    ]


def _long_words(text):
    return {word for word in words_of(text) if len(word) > SHORT_WORD}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.construct)
def test_every_rule_has_a_thought_of_its_own_that_its_numbers_fill(template):
    assert len(template.thoughts) == len(template.rules)
    params = template.draw(Random("thoughts"))
    said = [fill(thought, params) for thought in template.thoughts]
    assert len(set(said)) == len(said) and not any("$" in one for one in said)


def test_an_answer_worked_out_by_hand_is_explained_by_its_steps():
    # 3 + 4 x 2: from the left 3 + 4 = 7, 7 x 2 = 14, where 3 + 8 = 11 is right; 15 comes from no rule
    template = BY_CONSTRUCT["Carry out an addition followed by a multiplication"]
    options = {"A": "11", "B": "14", "C": "15", "D": "9"}
    left_to_right, all_added = list(template.rules)[:2]
    labels = {"B": left_to_right, "D": all_added}
    question = Question(template, {"a": 3, "b": 4, "c": 2}, "?", "A", options, labels)
    assert explain(question, "B") == (
        "The student does 3 + 4 first because it is read first, and multiplies the sum by 2. This leads to 14.",
        "One expects 11. The student does 3 + 4 first because it is read first, and multiplies the sum by 2. "
        "This leads to 14. So exactly 14 is chosen, and not 11.",
    )
    assert explain(question, "C")[0] == "The student knows the way and slips once, which leads to 15."


def test_a_text_has_no_long_word_of_its_misconceptions_name_that_the_question_has_not(explained):
    for question, letter, name, texts in explained:
        shown = " ".join(
            (question.template.subject, question.template.construct, question.text, question.options[letter])
        )
        for text in texts if name else ():
            told = (_long_words(name) & _long_words(text)) - _long_words(shown) - FUNCTION_WORDS
            assert not told, f"{text!r} says {told} of {name!r}"


def test_a_text_covers_its_own_name_no_better_than_the_other_names_of_its_template(explained):
    own, others = [], []
    for question, _, name, (short, _) in explained:
        for rule in question.template.rules if name else ():
            words = _long_words(rule)
            (own if rule == name else others).append(len(words & _long_words(short)) / len(words))
    # 0.004 and 0.013 of a name's long words: what is left are words of the question
    assert sum(own) / len(own) < sum(others) / len(others) < 0.02


def test_the_audit_has_no_alarm_about_these_texts_and_the_cleaner_changes_none(explained):
    ids = {name: id_ for id_, name in enumerate(MISCONCEPTIONS)}
    rows = []
    for number, (_, _, name, (short, cot)) in enumerate(explained):
        assert clean("short", short) == (short, ()) and clean("cot", cot) == (cot, ())
        rows.append(("valid" if number % 3 == 0 else "train", ids.get(name), short, cot))
    queries = pl.DataFrame(rows, schema=["fold", "misconception_id", "short", "cot"], orient="row")
    assert alarms(queries, pl.DataFrame({"misconception_id": list(ids.values()), "text": list(ids)})) == []


def test_texts_stand_beside_the_data_only_when_they_are_asked_for_and_change_nothing_of_it(tmp_path):
    plain, told = tmp_path / "plain", tmp_path / "told"
    write_competition(plain, **SMALL)
    write_competition(told, **SMALL, rationales=True)
    assert not (plain / "rationales.csv").exists()
    for path in plain.iterdir():
        assert path.read_bytes() == (told / path.name).read_bytes()
    write_competition(plain, **SMALL, rationales=True)  # added to what was written without
    assert (plain / "rationales.csv").read_bytes() == (told / "rationales.csv").read_bytes()
    (plain / "rationales.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match="already holds other texts"):
        write_competition(plain, **SMALL, rationales=True)


def test_the_command_writes_every_wrong_option_and_every_row_says_who_wrote_it(tmp_path):
    folder = tmp_path / "demo"
    command = [sys.executable, "-m", "training.synthesis.malrules.generate", folder, "--rationales"]
    subprocess.run([*command, "--questions", "30", "--test-questions", "10"], check=True)
    with (folder / "rationales.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 40 and {row["Writer"] for row in rows} == {NAME}
    texts = replay(
        folder / "rationales.csv", ("short",), {"0_" + row["QuestionId_Answer"][-1]: "train" for row in rows[:3]}
    )
    assert set(texts["model"]) == {"perfect writer: what the generator knows"}
