"""Guards near_duplicates.py: a text in another wrapping is the same, one with another number is not."""

import pytest

from shared.task.near_duplicates import group_near, near_pairs, words_alone, words_of


def pairs(texts, similar):
    return [(one, other) for one, other in near_pairs(texts, texts, similar) if one < other]


def test_case_space_latex_and_markdown_do_not_count_and_digits_and_signs_do():
    plain = words_of("What is 3 + 14 in cm?")
    assert plain == ("what", "is", "3", "+", "14", "in", "cm", "?")
    assert words_of("**What**  is\n\\[ \\mathbf{3}+14 \\] in \\( \\mathrm{~cm} \\)?") == plain
    assert words_of("![What is $3 + 14$ in cm?]()") == plain
    assert words_of("What is 31 + 4 in cm?") != plain and words_of("What is 3 - 14 in cm?") != plain
    assert words_of("\\frac{1}{2}") == ("\\frac", "1", "2") != words_of("12")


def test_a_pair_is_near_from_the_given_jaccard_index_of_its_five_word_runs_on():
    one, other = "a b c d e f g h", "a b c d e f g x"
    # four runs each, of which abcde, bcdef and cdefg are shared: 3 of 5 different ones
    assert pairs([one, other], 0.6) == [(0, 1)] and pairs([one, other], 0.61) == []


def test_a_text_of_fewer_than_five_words_is_near_its_own_words_alone():
    assert pairs(["a b c", "a b d", "A, b c"], 0.01) == []
    assert pairs(["a b c", "a b d", "A  (b) c"], 1) == [(0, 2)]


def test_two_lists_are_paired_by_their_places():
    assert list(near_pairs(["x y", "a b"], ["a b", "c", "X Y"], 1)) == [(0, 2), (1, 0)]


def test_a_chain_of_near_pairs_is_one_group():
    texts = ["z", "a b c d e f g h", "q", "a b c d e f g h i j", "c d e f g h i j", "z"]
    # 1 and 3 share 4 of 6 runs, 3 and 4 share 4 of 6, 1 and 4 share 2 of 6
    assert pairs(texts, 0.6) == [(0, 5), (1, 3), (3, 4)]
    assert group_near(texts, 0.6) == [0, 1, 2, 1, 1, 0]


@pytest.mark.parametrize("texts", [[], ["", "$$"]])
def test_texts_without_words_are_one_text(texts):
    assert group_near(texts, 1) == [0] * len(texts)


def test_texts_of_the_same_words_are_one_and_signs_and_numbers_are_words():
    same = ("Adds, rather than halves.", "adds rather  than halves")
    assert words_alone(same[0]) == words_alone(same[1])
    for one, other in (("f(x - a)", "f(x) - a"), ("Adds -1", "Adds 1"), ("0.35", "03.5"), ("1,000", "1000")):
        assert words_alone(one) != words_alone(other)
