"""Guards what the rules make of several questions: what repeats goes, and what each rule costs is counted."""

from tests.training.synthesis.written import GOOD, change
from training.synthesis.check import RULES, count_flags, find_flags

LONG = "A train leaves the station at ten past nine and arrives at five to eleven in the morning. How long is it away?"


def flags_of(questions, real=()):
    return find_flags(questions, real, 0.75)


def test_a_good_question_alone_breaks_no_rule():
    assert flags_of([GOOD]) == [()]


def test_of_a_repeated_text_the_first_stays_whatever_its_case_and_white_space():
    again = change(question=GOOD.question.upper().replace(" ", "  "), wrong="9")
    assert flags_of([GOOD, again]) == [(), ("repeated",)]


def test_a_broken_question_takes_no_good_one_with_the_same_text_along():
    assert flags_of([change(wrong="```"), GOOD]) == [("fence",), ()]


def test_of_near_texts_the_first_stays():
    assert flags_of([change(question=LONG), change(question=LONG + " Say it.", wrong="9")]) == [(), ("near",)]


def test_a_copy_of_a_real_question_goes():
    assert flags_of([change(question=LONG)], [LONG.replace("away", "gone")]) == [("near_real",)]


def test_a_question_with_one_wrong_answer_under_two_misconceptions_goes_both_times():
    other = change(name="8/0", misconception_id=8)
    assert flags_of([GOOD, other]) == [("ambiguous",), ("ambiguous",)]


def test_one_question_may_show_two_misconceptions_with_two_wrong_answers():
    other = change(name="8/0", misconception_id=8, wrong="9")
    assert flags_of([GOOD, other]) == [(), ("repeated",)]  # dropped as a text that stood there before, not for both


def test_every_rule_is_counted_and_the_first_that_is_broken_drops_the_question():
    counts = count_flags([("fence", "latex"), ("latex",), ()])
    assert tuple(counts) == RULES
    assert counts["fence"] == (1, 1, 2)  # one breaks it, it drops one of three, two are left
    assert counts["latex"] == (2, 1, 1)  # the first of the two was dropped before
    assert counts["near"] == (0, 0, 1)


def test_letters_are_drawn_by_the_name_and_each_option_has_its_own():
    letters = [change(name=f"{number}/0").letters for number in range(400)]
    assert letters[0] == change(name="0/0").letters
    assert all(sorted(own) == ["A", "B", "C", "D"] for own in letters)
    shares = [sum(own[0] == letter for own in letters) / 400 for letter in "ABCD"]
    assert all(0.18 < share < 0.32 for share in shares)  # a quarter each, three standard deviations of 0.022 around it
