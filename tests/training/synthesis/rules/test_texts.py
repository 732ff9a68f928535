"""Guards the rules about a question's texts, each with texts that break it and near ones that do not."""

import pytest

from tests.training.synthesis.written import GOOD, change
from training.synthesis.rules import texts


@pytest.mark.parametrize(
    "rule",
    [
        texts.lacks_picture,
        texts.has_code_fence,
        texts.has_control_characters,
        texts.has_broken_latex,
        texts.is_not_english,
    ],
)
def test_a_good_question_breaks_no_rule_about_texts(rule):
    assert not rule(GOOD)


@pytest.mark.parametrize(
    "question",
    [
        "What is the area of the shape shown below?",
        "Look at the diagram. Which angle is acute? The diagram shows two lines.",
        "What is the gradient of the line in this graph?",
    ],
)
def test_a_question_about_a_picture_that_is_not_there_lacks_it(question):
    assert texts.lacks_picture(change(question=question))


@pytest.mark.parametrize(
    "question",
    [
        "What is the area of the shape shown below? ![A square with sides of 3 cm]()",
        "What is the gradient of the line in this graph? [Graph: a line through (0, 1) and (2, 5)]",
        "Round 3,457 to two significant figures.",
        "Which number in the table below is odd?\n| 2 | 3 | 4 |",
        "What is the graph of y = 2x called?",
    ],
)
def test_a_picture_that_is_described_or_not_needed_is_not_missing(question):
    assert not texts.lacks_picture(change(question=question))


def test_a_fence_of_code_may_stand_in_no_text():
    assert texts.has_code_fence(change(correct="```5```"))


@pytest.mark.parametrize("answer", ["\x0crac{1}{2}", "3 \times 4", "\\left( 2 \right)", "x \neq 3", "a\x08", "\ufffd"])
def test_what_an_escape_leaves_of_a_command_is_a_control_character(answer):
    assert texts.has_control_characters(change(wrong=answer))


@pytest.mark.parametrize("answer", ["3\t4", "one\ntwo", r"3 \times 4", r"x \neq 3"])
def test_tabs_line_breaks_and_whole_commands_are_no_control_characters(answer):
    assert not texts.has_control_characters(change(wrong=answer))


@pytest.mark.parametrize(
    "answer",
    [
        *(r"\( 3", r"3 \)", r"\( \( 3 \) \)", r"\( 3 \]", r"\( \frac{1}{2 \)", r"\frac", r"\( \sqrt \)", "$$ 3"),
        *(r"\begin{array} 1", r"\left( 3 )", "}{"),
    ],
)
def test_latex_without_a_partner_or_an_argument_is_broken(answer):
    assert texts.has_broken_latex(change(wrong=answer))


@pytest.mark.parametrize("answer", [r"\( \frac{1}{2} \)", r"\(\frac12\)", "$5", r"\{1, 2\}", r"\[ 3 \]", "(3, 4]"])
def test_latex_that_is_whole_and_money_are_not_broken(answer):
    assert not texts.has_broken_latex(change(wrong=answer))


@pytest.mark.parametrize(
    "question", ["这是什么? 2 + 3", "Сколько будет 2 + 3?", "Welche Zahl ist größer und wie viel mehr?"]
)
def test_a_question_in_another_script_or_language_is_not_english(question):
    assert texts.is_not_english(change(question=question))


@pytest.mark.parametrize("question", [r"Find \( \theta \), the angle α, in degrees.", "2 + 3 = ?", "Solve 3x² − 5 = 7"])
def test_greek_letters_signs_and_short_questions_are_english(question):
    assert not texts.is_not_english(change(question=question))
