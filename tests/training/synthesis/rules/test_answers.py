"""Guards the rules about answers; what is equal and what a calculation gives was worked out by hand."""

from fractions import Fraction

import pytest

from tests.training.synthesis.written import GOOD, change
from training.synthesis.numbers import quantity_of, value_of
from training.synthesis.rules.answers import has_equal_answers, has_equal_values, has_wrong_key, result_of


@pytest.mark.parametrize("rule", [has_equal_answers, has_equal_values, has_wrong_key])
def test_a_good_question_breaks_no_rule_about_answers(rule):
    assert not rule(GOOD)


def test_answers_that_differ_in_white_space_or_case_alone_are_equal():
    assert has_equal_answers(change(correct=r"\( x + 1 \)", wrong=r"\(X+1\)"))


@pytest.mark.parametrize(
    ("correct", "wrong"), [("0.5", r"\( \frac{1}{2} \)"), (r"1 \frac{1}{2}", r"\frac{6}{4}"), ("£1,200", "£1200.00")]
)
def test_answers_in_different_words_may_be_the_same_number(correct, wrong):
    assert has_equal_values(change(correct=correct, wrong=wrong))
    assert not has_equal_answers(change(correct=correct, wrong=wrong))


def test_numbers_in_different_units_are_different_answers():
    assert not has_equal_values(change(correct="5 cm", wrong="5.0 mm", others=("5%", "5")))


def test_a_question_about_the_form_of_a_number_may_offer_one_number_twice():
    assert not has_equal_values(change(question="Write 2/4 in its lowest terms.", correct="1/2", wrong="2/4"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 + 3 × 4", Fraction(14)),
        ("(2 + 3) * 4", Fraction(20)),
        (r"\( -3^{2} \)", Fraction(-9)),
        (r"\frac{1}{2} + \frac{1}{3}", Fraction(5, 6)),
        (r"4 \frac{1}{3} - 2 \frac{2}{3}", Fraction(5, 3)),
        (r"0.4 \times 0.5", Fraction(1, 5)),
        ("1,200 ÷ 3", Fraction(400)),
        ("7 - -2", Fraction(9)),
    ],
)
def test_plain_arithmetic_is_read_exactly(text, value):
    assert value_of(text) == value


@pytest.mark.parametrize("text", ["2x + 3", "1 / 0", "(2 + 3", "2 ^ 999", "", "3 4", "two", "x = 5"])
def test_what_is_no_plain_arithmetic_is_left_alone(text):
    assert value_of(text) is None


def test_a_quantity_has_the_sign_and_the_unit_around_its_number():
    assert [quantity_of(text).unit for text in ("£5", "5 cm", "50\\%", r"\( 5 \mathrm{~cm} \)")] == [
        *("£", "cm", "%", "cm")
    ]
    assert quantity_of("x = 5") is None


@pytest.mark.parametrize(
    "question", [r"What is \( 6 + 2 \times 5 \)?", "Calculate: 6 + 2 × 5", r"Work out \( 6 + 2 \times 5 = \) ?"]
)
def test_a_right_answer_that_is_not_the_result_is_a_wrong_key(question):
    assert result_of(question) == 16
    assert has_wrong_key(change(question=question, correct="40", wrong="16"))
    assert not has_wrong_key(change(question=question, correct="16.0", wrong="40"))


@pytest.mark.parametrize("question", ["Estimate 6 + 2 × 5", "Tom has 6 + 2 × 5 sweets. How many?", "What is 16?"])
def test_no_key_is_checked_where_the_question_is_more_or_less_than_a_calculation(question):
    assert result_of(question) is None
