"""Guards the checked table of written questions: its reasons, its counts, and what counts as too easy."""

import polars as pl
import pytest

from tests.training.synthesis.written import GOOD, change
from training.synthesis.ease import Ease, measure_ease
from training.synthesis.schema import SYNTHETIC
from training.synthesis.table import REASONS, Limits, checked_table, count_reasons

NAMES = pl.DataFrame(
    {
        "misconception_id": [7, 8],
        "text": ["Adds numerators and denominators separately", "Believes litre is the same as cup of jug"],
    }
)
OPEN = Limits(similar=0.75, ease_rank=0, ease_words=0.8, most=9)
EASY = change(name="8/0", misconception_id=8, question="Is a litre the same as a cup of a jug? Who believes it?")


def table_of(questions, limits=OPEN):
    return checked_table(questions, [], NAMES, limits, {one.name: ("writer", "1_A") for one in questions})


def test_a_question_that_nothing_speaks_against_is_kept_with_its_fields(tmp_path):
    table = table_of([GOOD])
    SYNTHETIC.write(table, tmp_path)
    [row] = SYNTHETIC.read(tmp_path).to_dicts()
    assert (row["keep"], row["reason"], row["flags"], row["shots"]) == (True, "", "", "1_A")
    assert (row["wrong"], tuple(row["others"]), row["letters"]) == (GOOD.wrong, GOOD.others, GOOD.letters)


def test_the_reason_is_the_first_rule_that_a_question_breaks_and_the_flags_are_all():
    [row] = table_of([change(correct="```", wrong=r"\( 3")]).to_dicts()
    assert (row["keep"], row["reason"], row["flags"]) == (False, "fence", "fence latex")


def test_ease_is_the_rank_by_words_and_the_share_of_the_names_words():
    [ease] = measure_ease([EASY], NAMES)
    assert ease == Ease(1, 1.0)  # believes, litre, same: the words of more than three letters, all there
    [ease] = measure_ease([GOOD], NAMES)
    assert ease.words == pytest.approx(1 / 4)  # denominators of adds, numerators, denominators, separately


def test_only_what_is_found_at_once_and_holds_the_names_words_is_too_easy():
    strict = Limits(similar=0.75, ease_rank=1, ease_words=0.8, most=9)
    assert table_of([GOOD, EASY], strict)["reason"].to_list() == ["", "too_easy"]
    assert table_of([GOOD, EASY])["reason"].to_list() == ["", ""]
    assert not Ease(2, 1.0).is_trivial(1, 0.8)
    assert not Ease(1, 0.7).is_trivial(1, 0.8)


def test_a_misconception_keeps_so_many_good_questions_and_broken_ones_take_no_place():
    texts = ["```", "How long is a bus?", "How old is a tree?", "How tall is a horse?"]
    questions = [change(name=f"7/{place}", question=text) for place, text in enumerate(texts)]
    table = table_of(questions, Limits(similar=0.75, ease_rank=0, ease_words=0.8, most=2))
    assert table["reason"].to_list() == ["fence", "", "", "enough"]


def test_counts_go_through_the_reasons_in_order_and_say_what_is_left():
    counts = count_reasons(table_of([GOOD, change(name="7/1", wrong="```")]), ["empty"])
    assert [name for name, _, _ in counts] == ["empty", *REASONS]
    assert counts[0] == ("empty", 1, 2)
    assert {name: (count, left) for name, count, left in counts}["fence"] == (1, 1)


def test_of_no_questions_the_table_is_empty():
    assert table_of([]).height == 0
