"""Guards in_time.py: on a thousand made-up days writing leaves its share to the others, and nothing is late."""

import math

import pytest

from inference.predict.writing.in_time import GRACE, SHARE
from tests.inference.predict.bad_days import LIMIT, MARGIN, WATCHDOG, Day
from tests.inference.predict.writing.writing_days import READ, ROWS, WritingDay, draw_writing_day, write_through

SPAN = LIMIT - MARGIN - READ
QUICK = 0.01  # seconds of a token: 600 rows of 383 tokens take 2,298 s


@pytest.mark.parametrize("thousandth", range(8))
def test_no_day_with_a_writer_is_late_and_reranking_keeps_its_time(thousandth, capsys):
    ended = []
    for seed in range(thousandth, 1000, 8):  # eight kinds of luck, 125 days each
        written = write_through(draw_writing_day(seed))
        assert written.said is not None and written.rest is not None  # the watchdog never had to come for the writer
        assert written.time <= READ + SHARE * (1 + GRACE) * SPAN + 1
        assert written.rest.time <= WATCHDOG < LIMIT
        kept = {kind: int(there.sum()) for kind, there in written.texts.items() if there.any()}
        assert written.said.texts == kept  # what the driver says is what there is
        assert thousandth in (3, 4, 5, 6) or kept.get("cot", 0) == 0 or kept["short"] == ROWS
        ended.append(written.said.ended)
    assert {"complete", "out of time"} <= set(ended)
    failed = "writer writer failed" in capsys.readouterr().err
    assert failed or thousandth not in (3, 4, 5, 6)  # stalls and crashes
    assert not failed or thousandth not in (0, 7)  # noise alone fails nothing


def test_with_time_to_spare_everything_is_written():
    written = write_through(WritingDay(Day(1, 1, 0.0, 0.001), QUICK))
    assert written.said.ended == "complete" and written.said.texts == {"short": ROWS, "cot": ROWS}
    assert written.time == pytest.approx(READ + 120 + 2298, rel=0.03)  # noise evens out


def test_without_a_limit_everything_is_written():
    written = write_through(WritingDay(Day(1, 1, 0.0, 0.001), QUICK), math.inf)
    assert written.said.ended == "complete" and written.said.texts == {"short": ROWS, "cot": ROWS}


def test_short_texts_come_first_and_chains_of_thought_get_what_is_left_of_the_share():
    # 600 short texts take 600 x 58 x 0.2 = 6,960 s, chains of thought 39,000 s; 16,020 s are the writer's
    written = write_through(WritingDay(Day(2, 1, 0.0, 0.001), 0.2))
    assert written.said.ended == "out of time" and written.said.texts["short"] == ROWS
    assert 0 < written.said.texts["cot"] < (16_020 - 6_960) / 65 * 1.1
    assert READ + 0.5 * SPAN - 300 < written.time < READ + 0.5 * SPAN + 100


def test_a_writer_that_hangs_is_opened_again_and_goes_on_where_it_was(capsys):
    written = write_through(WritingDay(Day(3, 1, 0.0, 0.001, stalls=600.0), QUICK))
    assert written.said.ended == "complete" and written.said.texts == {"short": ROWS, "cot": ROWS}
    # 20 times the 120 s that a slice takes are waited, and the model is opened twice
    assert written.time == pytest.approx(READ + 120 + 2298 + 2400 + 120, rel=0.05)
    assert "writer writer failed in a part of the work" in capsys.readouterr().err


def test_a_writer_that_does_not_even_come_up_is_given_up_before_its_share_is_far_behind(capsys):
    written = write_through(WritingDay(Day(3, 1, 0.0, 0.001, stalls=0.0), QUICK))
    assert written.said.ended == "failed" and written.said.texts == {}
    assert written.time == pytest.approx(READ + SHARE * (1 + GRACE) * SPAN, abs=1)
    assert written.rest.said[0].ended == "complete"
    assert "attempt 1 of 2" in capsys.readouterr().err


def test_a_writer_that_dies_once_goes_on_where_it_was(capsys):
    written = write_through(WritingDay(Day(4, 1, 0.0, 0.001, crashes=(600.0,)), QUICK))
    assert written.said.ended == "complete" and written.said.texts == {"short": ROWS, "cot": ROWS}
    assert "(1 of 4 in a row)" in capsys.readouterr().err


def test_a_row_at_which_every_engine_fails_costs_few_others(capsys):
    written = write_through(WritingDay(Day(5, 1, 0.0, 0.001), QUICK, bad=599))
    # short texts take 0.58 s: a slice of 120 s has 206, and 12 when it is tried again; chains of thought 36 and 2
    assert written.said.ended == "complete" and not written.texts["short"][599] and not written.texts["cot"][599]
    lost = {kind: ROWS - int(there.sum()) for kind, there in written.texts.items()}
    assert written.said.lost == sum(lost.values()) and lost["short"] <= 15 and lost["cot"] <= 4
    assert capsys.readouterr().err.count("in a row)") == 4  # each opened the model once more


def test_no_time_means_no_writing():
    written = write_through(WritingDay(Day(6, 1, 0.0, 0.001), QUICK), READ)
    assert written.said.ended == "skipped, no time" and written.said.texts == {}
