"""Guards anytime.py: on a thousand made-up days the file is always valid and never late."""

import dataclasses
import math

import numpy as np
import pytest

from tests.inference.predict.bad_days import LIMIT, MARGIN, WATCHDOG, WORK, Day, draw_day, live_through

FULL = sum(WORK.chunks) * (90 + WORK.wanted * 54)  # tokens of one reranker


@pytest.mark.parametrize("thousandth", range(8))
def test_no_day_is_late_or_loses_more_than_a_shard(thousandth, capsys):
    for seed in range(thousandth, 1000, 8):  # eight kinds of luck, 125 days each
        day = draw_day(seed)
        outcome = live_through(day)
        assert outcome.time <= WATCHDOG < LIMIT
        if outcome.said is None:
            assert thousandth not in (0, 7)  # noise alone never needs the watchdog
            continue
        # what the driver says it did is what the file has; nothing that was paid for is missing
        for scored, state in zip(outcome.scored, outcome.said, strict=True):
            np.testing.assert_array_equal(scored, state.done)
    assert ("failed in a part of the work" in capsys.readouterr().err) == (thousandth in (4, 5, 6))


@pytest.mark.parametrize("thousandth", range(8))
def test_no_day_with_a_cascade_is_late_or_reads_deeper_than_it_wants(thousandth, capsys):
    for seed in range(thousandth, 200, 8):
        day = dataclasses.replace(draw_day(seed), rerankers=3, cascade=(25, 12, 4))
        outcome = live_through(day)
        assert outcome.time <= WATCHDOG < LIMIT
        assert all(scored.max() <= day.wanted(number) for number, scored in enumerate(outcome.scored))
        for scored, state in zip(outcome.scored, outcome.said or [], strict=outcome.said is not None):
            np.testing.assert_array_equal(scored, state.done)


def test_a_cascade_with_time_to_spare_reads_what_each_wants_and_is_complete():
    said = live_through(Day(8, 3, 0.0, 1e-4, cascade=(25, 12, 4))).said
    assert [set(state.done.tolist()) for state in said] == [{25}, {12}, {4}]
    assert [state.ended for state in said] == ["complete"] * 3


def test_with_time_to_spare_everything_is_scored():
    # 600 queries x 1,440 tokens at 10 ms: 8,640 s, and as much again twice for a second one of twice the size
    outcome = live_through(Day(1, 2, 600.0, 0.01))
    assert [state.ended for state in outcome.said] == ["complete", "complete"]
    assert all((scored == 25).all() for scored in outcome.scored)
    # about 600 + 60 + 8,640 + 120 + 17,280 and half a second for each of 64 writings; noise evens out
    assert outcome.time == pytest.approx(26_732, rel=0.03)


def test_short_time_is_used_up_and_every_query_gets_its_share():
    # everything would take 600 x 1,440 x 0.07 = 60,480 s, and there are 31,500: about half
    outcome = live_through(Day(2, 1, 600.0, 0.07))
    (state,) = outcome.said
    assert LIMIT - MARGIN - 300 < outcome.time < LIMIT - MARGIN + 100
    assert state.done.min() >= 8 and 10 < state.done.mean() < 14  # (31,500 / 0.07 / 600 - 90) / 54 = 12.2 in one go


def test_ten_times_slower_midway_goes_less_deep_and_ends_in_time():
    # half of the 17,280 s are through after 600 + 60 + 8,640 s; the other half would take 86,400 s, and 22,800 are left
    outcome = live_through(Day(3, 1, 600.0, 0.02, slower_from=9300.0))
    (state,) = outcome.said
    assert LIMIT - MARGIN - 500 < outcome.time < WATCHDOG
    assert (state.done == 25).sum() >= 280
    # the shard in which it began took 5,760 s of 20 x 1,440 tokens; 17,000 s then are 236 x 360 tokens at 0.2 s
    assert (state.done >= 5).sum() >= 500


def test_a_stall_leaves_what_was_scored_before_it():
    outcome = live_through(Day(4, 1, 600.0, 0.02, stalls=9300.0))
    assert outcome.said is None and outcome.time == WATCHDOG
    assert 270 <= (outcome.scored[0] == 25).sum() <= 320  # half, less the shard that never came back


def test_an_engine_that_dies_once_goes_on_where_it_was(capsys):
    outcome = live_through(Day(5, 1, 600.0, 0.02, crashes=(9300.0,)))
    assert outcome.said[0].ended == "complete"
    assert "!!! reranker 0 failed in a part of the work, which comes last now (1 of 4" in capsys.readouterr().err


def test_an_engine_that_dies_again_and_again_between_its_shards_goes_on_all_the_same(capsys):
    outcome = live_through(Day(6, 2, 600.0, 0.005, crashes=(1500.0, 2000.0, 2500.0, 3000.0, 3500.0)))
    assert [state.ended for state in outcome.said] == ["complete", "complete"]
    assert all((scored == 25).all() for scored in outcome.scored)


def test_an_engine_that_only_fails_is_given_up_and_leaves_its_scores_and_the_next_reranker_its_turn(capsys):
    outcome = live_through(Day(6, 2, 600.0, 0.005, crashes=(2500.0,) * 3))
    assert [state.ended for state in outcome.said] == ["failed", "complete"]
    assert 100 < (outcome.scored[0] == 25).sum() < 500 and (outcome.scored[1] == 25).all()
    assert "attempt 2 of 2" in capsys.readouterr().err  # it failed in a shard, and then twice in opening


def test_rows_that_every_engine_refuses_cost_the_eighth_of_a_shard_each_and_nothing_else(capsys):
    outcome = live_through(Day(8, 2, 600.0, 0.005, bad=(3, 30, 300, 599)))
    assert [state.ended for state in outcome.said] == ["complete", "complete"]
    for scored, state in zip(outcome.scored, outcome.said, strict=True):
        assert not scored[[3, 30, 300, 599]].any() and (scored == 25).sum() >= 592  # 4 x 20 // 8 rows at most are lost
        np.testing.assert_array_equal(scored < 25, state.failures == 2)
    assert "4 of 4" not in capsys.readouterr().err


def test_rows_with_fewer_candidates_than_wanted_stop_nothing(capsys):
    # slow until half of the time is over, so that shallow rows are deepened later, beyond what they have
    for seed in range(20):
        outcome = live_through(Day(seed, 2, 600.0, 0.03, slower_from=0.0, slower_until=16_000.0, there=8))
        assert "failed" not in [state.ended for state in outcome.said]
    assert "failed" not in capsys.readouterr().err


def test_without_pressure_the_shards_are_those_of_a_run_without_a_limit():
    day = Day(7, 2, 600.0, 0.005)
    limited, free = live_through(day), live_through(day, math.inf)
    shards = [
        [dataclasses.replace(shard, seconds=0) for state in run.said for shard in state.shards]
        for run in (limited, free)
    ]
    assert shards[0] == shards[1]
    assert max(shard.queries for shard in shards[0]) <= WORK.rows_at_once


def test_a_second_reranker_reads_fewer_before_the_first_one_does():
    # the first takes 8,640 s, a second of twice the size 17,280 s; with 21,000 s it gets 12,200 s
    day = Day(8, 2, 11_100.0, 0.01)
    first, second = live_through(day).said
    assert first.ended == "complete" and second.ended == "out of time"
    assert second.done.min() >= 12
    assert first.plans[0][1][0] == 25 and 12 <= first.plans[0][1][1] <= 20
