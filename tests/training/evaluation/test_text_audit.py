"""Guards text_audit.py: a text that saw a label is refused, and one that seems to know it is said aloud."""

import polars as pl
import pytest

from shared.task.tables import TEXTS
from training.evaluation.text_audit import alarms, coverage, find_labels_seen, find_own_shots

NAMES = {10: "Adds the denominators together", 11: "Forgets brackets"}


def _text(key: str, *, saw_label: bool = False, shots: str = "") -> tuple:
    return ("short", key, "t", "t", 0, "stop", "", "m", "", "", "", 0, saw_label, shots, "train", 0.0)


def _told(rows: list[tuple]) -> tuple[pl.DataFrame, pl.DataFrame]:
    queries = pl.DataFrame(rows, schema=["fold", "misconception_id", "short"], orient="row")
    return queries, pl.DataFrame({"misconception_id": list(NAMES), "text": list(NAMES.values())})


def test_a_text_whose_writer_saw_a_label_of_its_own_or_of_the_held_out_fold_is_found():
    rows = [_text("1_A"), _text("1_B", saw_label=True), _text("1_C", shots="5_A 7_D"), _text("2_A", shots="5_A")]
    texts = pl.DataFrame(rows, schema=TEXTS.schema, orient="row")
    assert find_labels_seen(texts, {"7_D", "7_C"}) == ["short 1_B", "short 1_C"]


def test_a_text_whose_writer_was_shown_an_example_of_its_own_question_is_found():
    rows = [_text("1_A", shots="2_A 1_B"), _text("1_B", shots="2_A"), _text("1_C"), _text("2_A", shots="2_A")]
    texts = pl.DataFrame(rows, schema=TEXTS.schema, orient="row")
    queries = pl.DataFrame({"query_id": ["1_A", "1_B", "1_C", "2_A"], "question_id": [1, 1, 1, 2]})
    assert find_own_shots(texts, queries) == ["short 1_A", "short 2_A"]


def test_a_text_tells_when_it_holds_four_of_five_long_words_of_the_name():
    # long words of 10: adds, denominators, together (all three are needed, 2 of 3 are 0.67); of 11: forgets, brackets
    queries, _ = _told(
        [
            ("train", 10, "The student adds both denominators together."),
            ("train", 10, "The student adds the denominators."),
            ("valid", 11, "It FORGETS the brackets"),
            ("valid", None, "adds denominators together"),
        ]
    )
    assert coverage(queries, NAMES, "short") == {"train": 0.5, "valid": 1.0}


@pytest.mark.parametrize(
    ("train", "valid", "loud"),
    [(13, 13, False), (26, 26, True), (14, 8, True), (14, 10, False), (5, 11, False)],  # of 100 rows each
)
def test_more_than_a_quarter_or_more_in_training_than_in_validation_is_said(train, valid, loud):
    rows = [("train", 11, "forgets brackets" if place < train else "no") for place in range(100)]
    rows += [("valid", 11, "forgets brackets" if place < valid else "no") for place in range(100)]
    assert bool(alarms(*_told(rows))) == loud
