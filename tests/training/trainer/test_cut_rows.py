"""Guards cut_rows.py: what is cut is counted, and so is what can no longer be told apart."""

import pytest

from shared.prompts.query import query_of
from shared.prompts.words import Words
from training.trainer.bases.cut_rows import count_cuts

ROW = {"subject": "S", "construct": "C", "question": "Read the table", "correct": "5/6"}
LETTERS = Words(lambda text: list(text.encode()), lambda text: list(text.encode()), (), ())


# 34 letters in front of the question, 14 of it, 38 of the answers; of three rows two end alike and one is longer
@pytest.mark.parametrize(("tokens", "expected"), [(88, (0, 0)), (87, (1, 0)), (39, (3, 0)), (3, (3, 2))])
def test_queries_that_are_cut_are_counted_and_those_that_became_equal(tokens, expected):
    asked = [query_of({**ROW, "wrong": wrong}) for wrong in ("2/5", "1 2/5", "7")]
    assert count_cuts(LETTERS, asked, tokens) == expected
