"""Guards report/texts.py: what was written, what it cost, and the ranks by length and flag, worked by hand."""

from types import SimpleNamespace

import polars as pl
import pytest

from shared.task.tables import RANKS, TEXTS
from training.analysis.report.texts import NOBODY_WROTE, quality_panel, written_about, written_panel

SHORT = ("Adds both.", "one " * 30, "", "Adds all. Then stops.")  # 2, 30, 0 and 4 words
FLAGS = ("", "tail cut", "empty", "cut")


def found(evaluated=True, texts=True):
    rows = [
        ("short", f"{number}_A", text, text.strip(), 10, "length" if number == 1 else "stop", FLAGS[number % 4])
        for number, text in enumerate(SHORT * 6)
    ]
    nothing = ("m", "", "", "", 0, False, "", "valid", 0.5)
    table = pl.DataFrame([(*row, *nothing) for row in rows], schema=TEXTS.schema, orient="row")
    ranks = [
        ("labelled", ranking, f"{number}_A", str(number), 1, True, rank)
        for number in range(24)
        for ranking, rank in (("retrieved", 2), ("reranked", 1 if number % 4 == 0 else 4))
    ]
    frame = pl.DataFrame(ranks, schema=RANKS.schema, orient="row")
    settings = SimpleNamespace(evaluate=SimpleNamespace(bootstrap=50))
    measured = SimpleNamespace(ranks=frame) if evaluated else None
    return SimpleNamespace(
        texts=table if texts else None, evaluated=measured, settings=settings, run=SimpleNamespace(name="cv")
    )


def test_the_table_counts_texts_flags_tokens_and_time():
    [row] = written_panel(found()).rows
    # 24 texts, 6 of each; words of the 18 that are there: 2, 30, 4; one of 24 at its limit; 24 x 10 tokens, 24 x 0.5 s
    assert row[:3] == ["Rationale", "24", "6"]
    assert row[3] == "4, 95 % have at most 30" and row[4] == "4.2%"
    assert row[5] == "cut 50.0%, empty 25.0%, tail 25.0%"
    assert row[6:] == ["240", "12 s", "m"]


def test_ranks_are_shown_by_length_and_flag_where_there_are_enough_pairs():
    rows = {row[1]: row[2:] for row in quality_panel(found()).rows}
    assert list(rows) == ["none", "1–25 words", "26–50 words", "nothing cut", "cut", "tail"]
    assert rows["none"][0] == "6" and rows["none"][1].startswith("0.500") and rows["none"][2].startswith("0.250")
    # of 12 short ones 6 have rank 1 and 6 rank 4: (6 + 6 / 4) / 12
    assert rows["1–25 words"][0] == "12" and rows["1–25 words"][2].startswith("0.625")
    assert rows["nothing cut"][2].startswith("1.000") and rows["tail"][2].startswith("0.250")


@pytest.mark.parametrize("panel", [written_panel, quality_panel])
def test_a_run_without_texts_says_so(panel):
    assert panel(found(texts=False)).missing == NOBODY_WROTE


def test_a_run_that_is_not_evaluated_says_so_and_its_texts_are_shown_all_the_same():
    assert quality_panel(found(evaluated=False)).missing == "The run is not evaluated yet."
    assert written_panel(found(evaluated=False)).rows


def test_the_rationale_stands_beside_a_row_with_what_was_wrong_with_it():
    assert written_about(found(), "0_A") == [("Rationale", "Adds both.")]
    assert written_about(found(), "2_A") == [("Rationale", "(empty) [empty]")]
    assert written_about(found(), "3_A") == [("Rationale", "Adds all. Then stops. [cut]")]
    assert written_about(found(texts=False), "0_A") == []
